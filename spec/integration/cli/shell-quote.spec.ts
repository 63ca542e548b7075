import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quoteAlways, quoteWhenNeeded } from '../../../src/cli/shell-quote.ts';

const NASTY = [
  ...[
    "'",
    '"',
    '$',
    '`',
    '!',
    '\\',
    '*',
    '?',
    '[',
    ']',
    '(',
    ')',
    '{',
    '}',
    '~',
    '#',
    '&',
    ';',
    '|',
    '<',
    '>',
    '=',
  ],
  ...[
    ' ',
    '%',
    '^',
    '-',
    '+',
    '@',
    ',',
    ':',
    '/',
    '.',
    'a',
    'Z',
    '0',
    'n',
    'ß',
    '日',
    '🐘',
    '\u00a0',
    '\x7f',
  ],
];
const SPACES = ['\n', '\t', '\r', '  ', '\n\n'];
const fragment = fc.constantFrom(
  ...NASTY,
  '$(id)',
  '`id`',
  '${HOME}',
  "'\\''",
  '\\\\',
  '\\n',
  '--',
  '!!',
  '$((1))',
);

/** A shell that evals the assignments given as its arguments one by one and prints each outcome with a NUL behind it. */
const RUNNERS = {
  'in double quotes': 'for line do VALUE=unset; eval "$line"; printf "%s\\0" "$VALUE"; done',
  unquoted: 'for line do VALUE=unset; eval $line; printf "%s\\0" "$VALUE"; done',
  // zsh splits what a command prints, but not a parameter.
  'unquoted in zsh': 'for line do VALUE=unset; eval $(printf %s "$line"); printf "%s\\0" "$VALUE"; done',
  'in fish': 'for line in $argv; set -gx VALUE unset; eval $line; printf "%s\\0" $VALUE; end',
  'sourced in fish':
    'for line in $argv; set -gx VALUE unset; printf %s $line | source; printf "%s\\0" $VALUE; end',
};

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'draupnir-quote-'));
  // Something for stray patterns to match.
  for (const name of ['a', 'b', "VALUE='a'", 'VALUE=a', "VALUE='*'"])
    writeFileSync(join(directory, name), '');
});
afterAll(() => rmSync(directory, { recursive: true }));

function evaluate(
  shell: string[],
  script: string,
  values: string[],
  quote: (value: string) => string,
): string[] {
  const [program = '', ...options] = shell;
  const lines = values.map((value) => `export VALUE=${quote(value)}`);
  // fish has no $0 of a script's own.
  const name = program === 'fish' ? [] : ['test'];
  const printed = execFileSync(program, [...options, '-c', script, ...name, ...lines], {
    cwd: directory,
    encoding: 'utf8',
    // bash takes a socket for a remote login, and would read ~/.bashrc.
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', HOME: directory },
  });
  return printed.split('\0').slice(0, -1);
}

/** Few shells, each with many values: to start one costs more than to evaluate a hundred. */
function expectSurvival(
  text: fc.Arbitrary<string>,
  shell: string[],
  script: string,
  quote: (value: string) => string,
): void {
  fc.assert(
    fc.property(fc.array(text, { minLength: 100, maxLength: 120 }), (values) => {
      const survivors = evaluate(shell, script, values, quote);
      expect(survivors).toHaveLength(values.length);
      for (const [index, value] of values.entries()) expect(survivors[index]).toBe(value);
    }),
    { numRuns: 5 },
  );
}

const shells: string[][] = [
  ['bash'],
  ['bash', '-O', 'nullglob'],
  ['bash', '-O', 'failglob', '-O', 'extglob'],
  ['bash', '--posix'],
  ['dash'],
  ['zsh', '-f'],
  ['zsh', '-f', '-o', 'extendedglob', '-o', 'nullglob'],
  ['zsh', '--emulate', 'sh', '-f'],
];

describe('shell quoting', () => {
  const anyText = fc
    .array(fc.oneof(fragment, fc.constantFrom(...SPACES)), { maxLength: 12 })
    .map((parts) => parts.join(''));
  const oneSpacedText = fc
    .array(fragment, { maxLength: 12 })
    .map((parts) => parts.join('').replace(/ {2,}/g, ' '));

  describe.each(shells.map((shell) => ({ name: shell.join(' '), shell })))('in $name', ({ shell }) => {
    it.each([quoteAlways, quoteWhenNeeded])('survives eval "$(…)" whatever the value holds (%o)', (quote) => {
      expectSurvival(anyText, shell, RUNNERS['in double quotes'], quote);
    });

    it('survives eval $(…) as long as no white space comes in runs', () => {
      const isZsh = shell[0] === 'zsh' && !shell.includes('sh');
      const script = RUNNERS[isZsh ? 'unquoted in zsh' : 'unquoted'];
      expectSurvival(oneSpacedText, shell, script, quoteAlways);
    });
  });

  // `export` of fish is a function that takes the lines of a value for several.
  const oneLine = anyText.map((value) => value.replaceAll('\n', ' '));
  it.each([
    ['in fish', quoteAlways],
    ['in fish', quoteWhenNeeded],
    ['sourced in fish', quoteAlways],
    ['sourced in fish', quoteWhenNeeded],
  ] as const)('survives %s whatever a line holds (%o)', (runner, quote) => {
    expectSurvival(oneLine, ['fish', '--no-config'], RUNNERS[runner], quote);
  });

  it('puts an ordinary path in plain single quotes', () => {
    expect(quoteAlways('/tmp/draupnir-1-abc/ca.crt')).toBe("'/tmp/draupnir-1-abc/ca.crt'");
    expect(quoteAlways('')).toBe("''");
  });

  it('leaves a plain value alone when asked to, and nothing else', () => {
    expect(quoteWhenNeeded('db.example.com')).toBe('db.example.com');
    expect(quoteWhenNeeded('my_app-1')).toBe('my_app-1');
    expect(quoteWhenNeeded("it's")).toBe("'it'\\''s'");
    expect(quoteWhenNeeded('~')).toBe("'~'");
    expect(quoteWhenNeeded('a\n')).toBe("'a\n'");
    expect(quoteWhenNeeded('')).toBe("''");
  });

  it('refuses NUL, which a shell would cut off', () => {
    expect(() => quoteAlways('a\0b')).toThrow(RangeError);
    expect(() => quoteWhenNeeded('a\0b')).toThrow(RangeError);
  });
});
