import { parse } from '@iarna/toml';
import { normaliseText } from './normalise-text.ts';

/** A TOML table as parsed, its values not yet checked. */
export type TomlTable = Readonly<Record<string, unknown>>;

/** Thrown for text that is not TOML. `line` and `column` count from 1; `reason` quotes nothing from the file. */
export class TomlSyntaxError extends Error {
  readonly line: number;
  readonly column: number;
  readonly reason: string;

  constructor(line: number, column: number, reason: string, options?: ErrorOptions) {
    super(`line ${line}, column ${column}: ${reason}`, options);
    this.name = 'TomlSyntaxError';
    this.line = line;
    this.column = column;
    this.reason = reason;
  }
}

/** Parses TOML 1.0, with line ends of any system. Throws `TomlSyntaxError`. */
export function parseToml(raw: string): TomlTable {
  const text = normaliseText(raw);
  try {
    return parse(text);
  } catch (error) {
    if (!isParserError(error)) throw error;
    // The parser counts columns from 1 on the first line and from 0 on the others; its offset is always from 1.
    const before = text.slice(0, error.pos - 1).split('\n');
    const column = (before.at(-1) ?? '').length + 1;
    // The message ends in an excerpt of the file, which may hold a secret. It is not passed on, not even as cause.
    throw new TomlSyntaxError(before.length, column, formatReason(error.message));
  }
}

/** Whether a parsed value is a table. Dates and arrays are objects too, but not tables. */
export function isTomlTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function isParserError(error: unknown): error is Error & { pos: number } {
  return error instanceof Error && 'pos' in error && typeof error.pos === 'number';
}

function formatReason(message: string): string {
  const reason = message
    .replace(/ at row \d+, col \d+, pos \d+:[^]*$/, '')
    // The parser prints characters by their code.
    .replace(/(character:? )"?(\d+)"?$/, (_, text: string, code: string) => {
      return text + JSON.stringify(String.fromCodePoint(Number(code)));
    });
  return reason.charAt(0).toLowerCase() + reason.slice(1);
}
