import { describe, expect, it } from 'vitest';
import { TomlSyntaxError, isTomlTable, parseToml } from '../../../src/config/toml-file.ts';

function catchError(text: string): TomlSyntaxError {
  try {
    parseToml(text);
  } catch (error) {
    if (error instanceof TomlSyntaxError) return error;
  }
  throw new Error('expected a TomlSyntaxError');
}

describe('parseToml', () => {
  it('parses tables', () => {
    expect(parseToml('a = 1\n[b]\nc = "x"')).toEqual({ a: 1, b: { c: 'x' } });
  });

  it.each([
    ['a = ?', 1, 5],
    ['a = 1\nb ? 2', 2, 3],
    ['a = "x\nb = 1', 1, 7],
    ['\n\n  a = 1 2', 3, 9],
    ['a = 1\na = 2', 2, 6],
    ['?', 1, 1],
  ])('tells where %j is wrong, counting from 1', (text, line, column) => {
    expect(catchError(text)).toMatchObject({ line, column });
  });

  it.each([
    ['line ends of Windows', 'a = 1 # one\r\n# two\r\n\r\n[b]\r\nc = [ # three\r\n  "x",\r\n]\r\n'],
    ['a byte order mark', '\uFEFFa = 1\n[b]\nc = ["x"]\n'],
    ['both', '\uFEFFa = 1\r\n[b]\r\nc = ["x"]\r\n'],
  ])('reads a file with %s', (_what, text) => {
    expect(parseToml(text)).toEqual({ a: 1, b: { c: ['x'] } });
  });

  it('tells where such a file is wrong, too', () => {
    expect(catchError('\uFEFFa = 1\r\n# x\r\nb ? 2\r\n')).toMatchObject({ line: 3, column: 3 });
  });

  it('says what is wrong without quoting the file', () => {
    const error = catchError('secret = "hunter2" x');
    expect(error.reason).toMatch(/^unexpected character, expected only whitespace/);
    expect(String(error.stack) + String(error.cause)).not.toContain('hunter2');
  });

  it('names characters, not their codes', () => {
    expect(catchError('a = "\\q"').reason).toBe('unknown escape character: "q"');
  });
});

describe('isTomlTable', () => {
  it('knows tables from lists, dates and scalars', () => {
    const { a, b, c, d } = parseToml('b = [1]\nc = 1979-05-27\nd = 1\n[a]');
    expect([a, b, c, d].map(isTomlTable)).toEqual([true, false, false, false]);
  });
});
