import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseVerificationScript } from '../../../src/core/verification-script.ts';

const texts = (script: string): string[] => parseVerificationScript(script).map(({ text }) => text);

describe('a verification script', () => {
  it('is taken apart into queries with their lines and databases', () => {
    const script = `-- people first
\\c shop
SELECT email FROM customers
WHERE email !~ 'invalid$';

  /* then ; the others */ (SELECT 1) UNION (SELECT 2)
  ; VALUES (1);
\\connect "odd ""name"""
WITH x AS (SELECT 1) TABLE x -- the end`;
    expect(parseVerificationScript(script)).toEqual([
      { line: 3, database: 'shop', text: "SELECT email FROM customers\nWHERE email !~ 'invalid$'" },
      { line: 6, database: 'shop', text: '(SELECT 1) UNION (SELECT 2)' },
      { line: 7, database: 'shop', text: 'VALUES (1)' },
      { line: 9, database: 'odd "name"', text: 'WITH x AS (SELECT 1) TABLE x' },
    ]);
  });

  it('begins in database postgres', () => {
    expect(parseVerificationScript('select 1')).toEqual([
      { line: 1, database: 'postgres', text: 'select 1' },
    ]);
  });

  it.each([
    `SELECT ';' , 'it''s; \\'`,
    `SELECT E'\\'; \\\\', e'a''b;'`,
    `SELECT ";", "a"";b"`,
    'SELECT $$;$$, $tag$ $$ ; $not$ $tag$, $ü$;$ü$',
    'SELECT 1 /* ; /* nested ; */ \\ */ + 1',
    'SELECT 1 -- ; \\q\n + 1',
    'SELECT $1, a$b$c FROM x WHERE $2',
    `SELECT U&'\\0041;'`,
    `SELECT name'\\' FROM x`,
  ])('leaves %s whole', (query) => {
    expect(texts(`${query};SELECT 2`)).toEqual([query, 'SELECT 2']);
  });

  it.each(['shop;', '"shop"', "'shop'", 'shop   \r'])('connects by \\c %s', (name) => {
    expect(parseVerificationScript(`\\c ${name}\nSELECT 1`)).toMatchObject([{ line: 2, database: 'shop' }]);
  });

  it('may be empty', () => {
    expect(parseVerificationScript('')).toEqual([]);
    expect(parseVerificationScript('\n \n')).toEqual([]);
  });

  it.each([
    ['SELECT 1;\n\\q\nSELECT 2;', 2, 'has a backslash'],
    ['\\! true', 1, 'has a backslash'],
    ['SELECT 1 \\gset\n', 1, 'has a backslash'],
    ['SELECT 1 \\g /dev/null', 1, 'has a backslash'],
    ['SELECT 1\n\\c shop\n;', 2, 'has a backslash'],
    ['\\c', 1, 'has a backslash'],
    ['\\c shop other', 1, 'has a backslash'],
    ['\\c host=elsewhere', 1, 'has a backslash'],
    ['\\c -', 1, 'has a backslash'],
    ['\\connectshop', 1, 'has a backslash'],
    ["SELECT 1;\nSELECT 'x", 2, 'begins a quote that has no end'],
    ["SELECT E'x\\'", 1, "begins a quote (E'…) that has no end"],
    ['SELECT "x', 1, 'begins a quoted name that has no end'],
    ['SELECT $x$ $$', 1, 'begins a dollar quote that has no end'],
    ['/* /* */ SELECT 1', 1, 'begins a comment that has no end'],
    ['SELECT 1;\nUPDATE people SET name = NULL', 2, 'is no query'],
    ['SELECTED', 1, 'is no query'],
    ['BEGIN; SELECT 1', 1, 'is no query'],
    ['COPY people TO STDOUT', 1, 'is no query'],
    ['-- nothing', 1, 'and all after it hold no query'],
    ['\\c shop', 1, 'and all after it hold no query'],
  ])('%j is refused, by its line', (script, line, reason) => {
    expect(() => parseVerificationScript(script)).toThrow(`verification_script: line ${line} ${reason}`);
  });

  it('has all of its text, and nothing twice, in its queries', () => {
    const part = fc.constantFrom(
      "';'",
      '";"',
      '$$;$$',
      '$a$ $$ ; $a$',
      '/* ; */',
      "E'\\';'",
      ' ',
      '\n',
      'x',
      '1',
      '--;\n',
      '(',
      ')',
      '$1',
    );
    const query = fc.array(part, { maxLength: 12 }).map((parts) => `SELECT ${parts.join(' ')} z`);
    fc.assert(
      fc.property(fc.array(query, { minLength: 1, maxLength: 5 }), (queries) => {
        expect(texts(queries.map((text) => `${text} ;\n`).join(''))).toEqual(queries);
      }),
    );
  });

  it('ends with a list or a reason, whatever it is, and in little time', () => {
    const piece = fc.constantFrom(
      "'",
      '"',
      '$',
      '$$',
      '$a$',
      '/*',
      '*/',
      '--',
      '\n',
      ';',
      '\\',
      'E',
      '\\c x',
      'SELECT',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        try {
          for (const { text } of parseVerificationScript(pieces.join('')))
            expect(text).toMatch(/^(SELECT|\()/);
        } catch (error) {
          expect(error).toMatchObject({ kind: 'invalid_script' });
        }
      }),
      { numRuns: 2000 },
    );
  });
});
