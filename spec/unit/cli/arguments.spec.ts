import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBackedUpAt, parseId } from '../../../src/cli/arguments.ts';

describe('an id', () => {
  it('is a whole number of up to nine digits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999 }), (id) => {
        expect(parseId(String(id))).toBe(id);
      }),
    );
  });

  it.each([
    '',
    '0',
    '07',
    '-1',
    '+1',
    ' 1',
    '1 ',
    '1\n',
    '0x10',
    '1e3',
    '1.0',
    '١',
    '1000000000',
    '7;rm',
    '../1',
  ])('is not %j', (text) => {
    expect(() => parseId(text)).toThrow('an id is a whole number');
  });
});

describe('the time of a backup', () => {
  it.each([
    '2017-05-01T12:00:00Z',
    '2017-05-01T12:00:00+02:00',
    '2017-05-01T12:00:00.123456Z',
    '2016-02-29T00:00:00Z',
  ])('may be %s and is sent as given', (text) => {
    expect(parseBackedUpAt(text)).toBe(text);
  });

  it.each([
    ...[
      '',
      'now',
      '2017-05-01',
      '2017-05-01 12:00:00Z',
      '2017-05-01T12:00:00',
      '1493640000',
      '2017-5-1T12:00:00Z',
    ],
    ...['2017-02-30T12:00:00Z', '2017-02-29T12:00:00Z', '2017-13-01T12:00:00Z', '2017-05-01T25:00:00Z'],
    ...['2017-05-01T12:60:00Z', '2017-05-01T12:00:00+2:00', ' 2017-05-01T12:00:00Z'],
  ])('is not %j', (text) => {
    expect(() => parseBackedUpAt(text)).toThrow('2017-05-01T12:00:00Z');
  });
});
