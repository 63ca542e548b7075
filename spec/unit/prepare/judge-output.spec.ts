import { describe, expect, it } from 'vitest';
import { judgeOutput } from '../../../src/prepare/script/judge-output.ts';
import { readPsqlOutput } from '../../../src/prepare/script/psql-output.ts';

const FILE = '/tmp/a.(b)/anonymise.sql';
const END = 'draupnir-end 0123';

/** Three lines, the last without an end. */
const TEXT = 'SELECT 1;\nSELECT 2;\nSELECT 3';

/** The reason why the script failed that made psql print this; undefined when it is good. */
async function judge(
  stderr: string,
  { exitCode = 0, text = TEXT, size = 7 } = {},
): Promise<string | undefined> {
  const output = await readPsqlOutput(split(stderr, size), END);
  const script = { text, file: FILE, lines: text.split('\n').length - 1 };
  try {
    judgeOutput(script, output, exitCode);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** In pieces that end anywhere, of 7 bytes unless told. */
async function* split(text: string, size = 7): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield Promise.resolve(bytes.subarray(at, at + size));
}

describe('what psql prints about a script', () => {
  it('is good when it ends with the line of the end', async () => {
    expect(await judge(`psql:${FILE}:1: NOTICE:  00000\n${END}\n`)).toBeUndefined();
  });

  it.each([
    [
      'names the line of the first error, and its state',
      `psql:${FILE}:2: ERROR:  42703\npsql:${FILE}:3: ERROR:  22012\n${END}\n`,
      'the anonymisation script failed in the statement that ends on line 2 (SQLSTATE 42703, undefined_column)',
    ],
    [
      'finds the error behind what the script has printed on its line',
      `xpsql:${FILE}:2: ERROR:  42703\n`,
      'the anonymisation script failed in the statement that ends on line 2 (SQLSTATE 42703, undefined_column)',
    ],
    [
      'names the last line of a script whose end we had to add',
      `psql:${FILE}:4: ERROR:  42601\n`,
      'the anonymisation script failed in the statement that ends on line 3 (SQLSTATE 42601, syntax_error)',
    ],
    [
      'counts a fatal error as well',
      `psql:${FILE}:1: FATAL:  57P01\n`,
      'the anonymisation script failed in the statement that ends on line 1 (SQLSTATE 57P01, admin_shutdown)',
    ],
    [
      'quotes no message that stands in the place of the state',
      `psql:${FILE}:2: ERROR:  duplicate key (ada@example.com)\n`,
      'the anonymisation script failed in the statement that ends on line 2',
    ],
    [
      'knows an error of another file',
      'psql:/tmp/other.sql:2: ERROR:  42703\n',
      'the anonymisation script failed in a statement that is not its own text',
    ],
    [
      'knows a transaction that is still open behind the script',
      `psql:${FILE}:6: ERROR:  25001\n`,
      'the anonymisation script leaves a transaction open: end it with COMMIT',
    ],
    [
      'takes the same state inside the script for its own failure',
      `psql:${FILE}:2: ERROR:  25001\n`,
      'the anonymisation script failed in the statement that ends on line 2 (SQLSTATE 25001, active_sql_transaction)',
    ],
    [
      'names the line that psql could not carry out',
      `psql:${FILE}:2: error: \\connect: nothing\n`,
      'the anonymisation script failed at line 2: psql could not carry out this line',
    ],
    [
      'knows such a line of another file',
      'psql:/tmp/other.sql:2: error: invalid command\n',
      'the anonymisation script failed: psql could not carry out a line that is not its own text',
    ],
    [
      'knows that the script has not ended where psql complains behind it',
      `psql:${FILE}:7: error: \\if without \\endif\n`,
      'the anonymisation script did not run to its end: look for \\q, COPY data without \\. or \\if without \\endif',
    ],
  ])('%s', async (_what, stderr, reason) => {
    expect(await judge(stderr, { exitCode: 3 })).toBe(reason);
  });

  it('gives no state that a script with another verbosity has chosen', async () => {
    const text = "\\set VERBOSITY default\nDO $$ BEGIN RAISE EXCEPTION 'VICTM'; END $$;\n";
    expect(await judge(`psql:${FILE}:2: ERROR:  VICTM\n`, { text })).toBe(
      'the anonymisation script failed in the statement that ends on line 2',
    );
  });

  it('without an error and without the end is that of a script that ended early, or was cut', async () => {
    expect(await judge('')).toBe(
      'the anonymisation script did not run to its end: look for \\q, COPY data without \\. or \\if without \\endif',
    );
    expect(await judge('', { exitCode: 2 })).toBe('the anonymisation script failed: its session was cut');
  });

  it('tells want of space, in words or as a state', async () => {
    const lacks = async (text: string) => (await readPsqlOutput(split(text), END)).lacksSpace;
    expect(await lacks('sh: write error: No space left on device\n')).toBe(true);
    expect(await lacks(`psql:${FILE}:2: ERROR:  53100\n`)).toBe(true);
    expect(await lacks(`psql:${FILE}:2: ERROR:  53200\n`)).toBe(false);
  });

  it('may have lines of any length', async () => {
    const long = 'x'.repeat(1_000_000);
    expect(await judge(`${long}\npsql:${FILE}:1: ERROR:  42703\n${long}`, { size: 4096 })).toBe(
      'the anonymisation script failed in the statement that ends on line 1 (SQLSTATE 42703, undefined_column)',
    );
  });

  it('names the restriction that is in the way of a command, or was never lifted', async () => {
    const text = '\\restrict key\n\\c shop\nSELECT 1;\n';
    expect(await judge(`psql:${FILE}:2: error: backslash commands are restricted\n`, { text })).toBe(
      'the anonymisation script failed at line 2: psql carries out no command that begins with \\ between \\restrict, on line 1, and \\unrestrict',
    );
    const unfinished =
      'the anonymisation script did not run to its end: the \\restrict on line 1 has no \\unrestrict';
    expect(await judge(`psql:${FILE}:6: error: backslash commands are restricted\n`, { text })).toBe(
      unfinished,
    );
    expect(await judge('', { text })).toBe(unfinished);
  });
});
