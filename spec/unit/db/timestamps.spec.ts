import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { createTypes } from '../../../src/db/timestamps.ts';

const { builtins } = pg.types;

function parse(oid: number, format?: 'text' | 'binary'): (value: string | Buffer) => unknown {
  return (types.getTypeParser as (oid: number, format?: string) => (value: unknown) => unknown)(oid, format);
}
const types = createTypes();

describe('the types of the metadata database', () => {
  it('read a time as pg does, and the same text but once', () => {
    const text = '2026-11-22 12:00:00.123+00';
    expect(parse(builtins.TIMESTAMPTZ)(text)).toEqual(new Date('2026-11-22T12:00:00.123Z'));
    expect(parse(builtins.TIMESTAMPTZ)(text)).toBe(parse(builtins.TIMESTAMPTZ)(text));
  });

  it('keep times apart, however many there are', () => {
    const read = parse(builtins.TIMESTAMPTZ);
    for (let second = 0; second < 25_000; second++) {
      const time = new Date(second * 1000);
      expect(read(time.toISOString().replace('T', ' ').replace('Z', '+00'))).toEqual(time);
    }
  });

  it('leave all others to pg', () => {
    expect(parse(builtins.INT4)('7')).toBe(7);
    expect(parse(builtins.TEXT)('2026-11-22 12:00:00+00')).toBe('2026-11-22 12:00:00+00');
    expect(parse(builtins.INT4, 'binary')(Buffer.from([0, 0, 0, 7]))).toBe(7);
  });
});
