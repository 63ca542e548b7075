import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunkCopyRows, formatCopyRow, type CopyValue } from '../../../src/quickstart/copy-text.ts';

/** Reads a line the way the manual of COPY describes it. */
function parseLine(line: string): (string | null)[] {
  const letters: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', '\\': '\\' };
  return line
    .slice(0, -1)
    .split('\t')
    .map((field) =>
      field === '\\N' ? null : field.replace(/\\(.)/gs, (_, char: string) => letters[char] ?? char),
    );
}

describe('a row in COPY text format', () => {
  it('has tabs between values, \\N for null and a newline at the end', () => {
    expect(formatCopyRow([1, null, 'Łódź', ''])).toBe('1\t\\N\tŁódź\t\n');
  });

  it('tells the text \\N from null', () => {
    expect(formatCopyRow(['\\N'])).toBe('\\\\N\n');
  });

  it('gives back every text when read', () => {
    const special = fc.string({ unit: fc.constantFrom('\\', '\t', '\n', '\r', 'N', '.', 'ж', '😀') });
    const value = fc.oneof(special, fc.string({ unit: 'grapheme' }), fc.constant(null));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 6 }), (values) => {
        const line = formatCopyRow(values);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(parseLine(line)).toEqual(values);
      }),
    );
  });
});

describe('chunks of rows', () => {
  it('are whole lines of 64 KiB at least, but for the last', () => {
    const rows = Array.from({ length: 9_000 }, (_, id): CopyValue[] => [id, 'x'.repeat(id % 50)]);
    const chunks = [...chunkCopyRows(rows)];
    expect(chunks.length).toBeGreaterThan(2);
    expect(chunks.every((chunk) => chunk.endsWith('\n'))).toBe(true);
    expect(chunks.slice(0, -1).every((chunk) => chunk.length >= 65_536 && chunk.length < 66_000)).toBe(true);
    expect(chunks.join('')).toBe(rows.map((row) => formatCopyRow(row)).join(''));
  });

  it('are none when there are no rows', () => {
    expect([...chunkCopyRows([])]).toEqual([]);
  });
});
