/** A value of one column; null is SQL's NULL. */
export type CopyValue = string | number | null;

/** Chunks are this long at least (in characters), so that a table costs few writes. */
const CHUNK_LENGTH = 64 * 1024;

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** One line of Postgres' COPY text format (https://www.postgresql.org/docs/current/sql-copy.html). */
export function formatCopyRow(values: readonly CopyValue[]): string {
  let line = '';
  let separator = '';
  for (const value of values) {
    line += separator + formatCopyValue(value);
    separator = '\t';
  }
  return `${line}\n`;
}

function formatCopyValue(value: CopyValue): string {
  if (value === null) return '\\N';
  if (typeof value === 'number') return String(value);
  return /[\\\t\n\r]/.test(value) ? value.replace(/[\\\t\n\r]/g, (char) => ESCAPES[char] ?? char) : value;
}

/** Joins rows to chunks of whole lines. Yields nothing when there are no rows. */
export function* chunkCopyRows(rows: Iterable<readonly CopyValue[]>): Generator<string> {
  let chunk = '';
  for (const row of rows) {
    chunk += formatCopyRow(row);
    if (chunk.length >= CHUNK_LENGTH) {
      yield chunk;
      chunk = '';
    }
  }
  if (chunk !== '') yield chunk;
}
