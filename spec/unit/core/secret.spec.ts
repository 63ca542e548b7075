import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';

describe('Secret', () => {
  const secret = new Secret('hunter2');

  it('opens by reveal alone', () => {
    expect(secret.reveal()).toBe('hunter2');
    expect(new Secret(Buffer.from('key')).reveal()).toEqual(Buffer.from('key'));
  });

  it('prints as [secret] in text, JSON and inspection, however deep it sits', () => {
    expect(String(secret)).toBe('[secret]');
    expect(JSON.stringify({ token: secret })).toBe('{"token":"[secret]"}');
    expect(inspect(secret)).toBe('[secret]');
    expect(inspect({ a: { b: { c: { d: [secret] } } } }, { depth: null, showHidden: true })).not.toContain(
      'hunter2',
    );
    expect(format('%s %o %j', secret, secret, secret)).toBe('[secret] [secret] "[secret]"');
  });

  it('loses its value when spread or cloned', () => {
    expect(Object.assign({}, secret)).toEqual({});
    expect(structuredClone(secret)).toEqual({});
  });
});
