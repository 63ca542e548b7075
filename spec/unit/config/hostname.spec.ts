import { describe, expect, it } from 'vitest';
import { isHostname, isIpAddress } from '../../../src/config/hostname.ts';

describe('isHostname', () => {
  it.each([
    'localhost',
    'db.example.com',
    'DB-1.example.com',
    'my_host',
    '3com.com',
    '1.a',
    `${'a.'.repeat(126)}a`,
    '192.0.2.1',
    'a'.repeat(63),
  ])('takes %s', (text) => {
    expect(isHostname(text)).toBe(true);
  });

  it.each([
    '',
    '.',
    'a..b',
    'a.',
    '-a',
    'a-',
    'a b',
    'a:80',
    '::1',
    '1.2.3',
    'a.1',
    '300.1.1.1',
    'bücher.example',
    'a'.repeat(64),
    `${'a.'.repeat(126)}ab`,
    'a\n',
  ])('refuses %j', (text) => {
    expect(isHostname(text)).toBe(false);
  });
});

describe('isIpAddress', () => {
  it('takes both families and nothing else', () => {
    expect(['192.0.2.1', '::1', 'localhost', '[::1]', ''].map(isIpAddress)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});
