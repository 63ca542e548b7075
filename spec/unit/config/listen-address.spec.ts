import { describe, expect, it } from 'vitest';
import { parseListenAddress } from '../../../src/config/listen-address.ts';

describe('parseListenAddress', () => {
  it.each([
    ['0.0.0.0:8443', '0.0.0.0', 8443],
    [':8443', '', 8443],
    ['[::1]:80', '::1', 80],
    ['[::]:80', '::', 80],
    ['localhost:8080', 'localhost', 8080],
    ['db-1.example.com:65535', 'db-1.example.com', 65535],
    ['127.0.0.1:0', '127.0.0.1', 0],
  ])('reads %s', (text, host, port) => {
    expect(parseListenAddress(text)).toEqual({ host, port });
  });

  it.each([
    '',
    '8443',
    ':',
    'localhost',
    'localhost:',
    'localhost:http',
    '::1:80',
    '[::1]',
    '[::1]80',
    '[127.0.0.1]:80',
    '[localhost]:80',
    ':65536',
    ':-1',
    '300.1.1.1:80',
    'http://a:80',
    'a b:80',
    ' :80',
    ':80 ',
  ])('refuses %j', (text) => {
    expect(parseListenAddress(text)).toBeUndefined();
  });
});
