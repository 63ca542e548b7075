import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCidr } from '../../../src/config/cidr.ts';

describe('isCidr', () => {
  it.each([
    '10.32.0.0/16',
    '0.0.0.0/0',
    '192.0.2.1/32',
    '10.1.2.3/8',
    '::/0',
    '2001:db8::/32',
    '::1/128',
    '::ffff:10.0.0.0/104',
  ])('takes %s', (text) => {
    expect(isCidr(text)).toBe(true);
  });

  it.each([
    '',
    '10.0.0.1',
    '10.0.0.0/33',
    '10.0.0/8',
    '010.0.0.0/8',
    '10.0.0.0/-1',
    '10.0.0.0/ 8',
    '::/129',
    'fe80::1%eth0/64',
    '10.0.0.0/8/8',
    '/8',
    '::/',
    'example.com/8',
    ' ::/0',
    '::/0\n',
  ])('refuses %j', (text) => {
    expect(isCidr(text)).toBe(false);
  });

  it('takes every address with every length that fits its family', () => {
    const v4 = fc.tuple(fc.ipV4(), fc.constant(32));
    const v6 = fc.tuple(fc.ipV6(), fc.constant(128));
    fc.assert(
      fc.property(fc.oneof(v4, v6), fc.nat(300), ([address, bits], length) => {
        expect(isCidr(`${address}/${length}`)).toBe(length <= bits);
      }),
    );
  });
});
