import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatUnset } from '../../../src/cli/shell-unset.ts';
import { createTemporaryDirectory } from '../../support/cli/temporary-directory.ts';

const GONE = ['PGSERVICE', 'PGOPTIONS', 'PGHOSTADDR'];
const LINE = `${formatUnset(GONE)} && export PGHOST=new PGPASSWORD=''`;
/** PGHOSTADDR is not set: that must be no failure. */
const BEFORE = { PGSERVICE: 'prod', PGOPTIONS: '-c role=app', PGHOST: 'old', PGAPPNAME: 'mine' };
const AFTER = ['PGAPPNAME=mine', 'PGHOST=new', 'PGPASSWORD='];

const SHELLS = [
  ['bash'],
  ['bash', '-O', 'nullglob'],
  ['bash', '-O', 'failglob', '-O', 'extglob'],
  ['bash', '--posix'],
  ['dash'],
  ['zsh', '-f'],
  ['zsh', '-f', '-o', 'nullglob'],
  ['zsh', '--emulate', 'sh', '-f'],
];

/** Runs a script in which `$LINE` is the line, in a directory of files that stray patterns match. */
function runShell(shell: readonly string[], script: string, more: Record<string, string> = {}): string[] {
  const home = createTemporaryDirectory();
  for (const name of ['a', '\\', '\\\\', "'\\\\'", 'PGSERVICE']) writeFileSync(join(home, name), '');
  mkdirSync(join(home, '.config'));
  const [program = '', ...options] = shell;
  const printed = execFileSync(program, [...options, '-c', script], {
    cwd: home,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: process.env.PATH, HOME: home, LC_ALL: 'C.UTF-8', ...BEFORE, LINE, ...more },
  });
  return printed.split('\n').slice(0, -1);
}

const PRINT = "env | grep '^PG' | sort";

describe.each(SHELLS.map((shell) => ({ name: shell.join(' '), shell })))('unset in $name', ({ shell }) => {
  it.each([
    ['quoted', 'eval "$(printf %s "$LINE")"'],
    ['unquoted', 'eval $(printf %s "$LINE")'],
  ])('removes what is set and is content with what is not, under set -eu (%s)', (_name, evaluate) => {
    expect(runShell(shell, `set -eu; ${evaluate}; ${PRINT}`)).toEqual(AFTER);
  });

  it('keeps options and arguments of the shell', () => {
    const script = `set -- one two; before=$-; eval "$LINE"; echo "$# $1 $2"; test "$before" = "$-" && echo same`;
    expect(runShell(shell, script)).toEqual(['2 one two', 'same']);
  });

  it('stops where a variable cannot be unset', () => {
    // dash and zsh even end the shell.
    const script = 'readonly PGSERVICE; (eval "$LINE" && echo "went to $PGSERVICE"); echo stopped';
    expect(runShell(shell, script)).toEqual(['stopped']);
  });
});

describe('unset in fish', () => {
  const fish = ['fish'];
  const print = `${PRINT}; echo $name`;

  it.each([
    ['eval', 'eval (printf %s $LINE)'],
    ['source', 'printf %s $LINE | source'],
  ])('removes what is set, and keeps a variable that the line itself uses (%s)', (_name, evaluate) => {
    expect(runShell(fish, `set -g name mine; ${evaluate}; and ${print}`)).toEqual([...AFTER, 'mine']);
  });

  it('works within a function', () => {
    const script = `function use; eval (printf %s $LINE); end; use; and ${PRINT}`;
    expect(runShell(fish, script)).toEqual(AFTER);
  });

  it('hides a universal variable without removing it for other sessions', () => {
    const script = `set -e PGSERVICE; set -e PGOPTIONS; set -Ux PGSERVICE prod; set -U PGOPTIONS unexported
eval (printf %s $LINE); and ${PRINT}; set -eg PGSERVICE; echo $PGSERVICE $PGOPTIONS`;
    expect(runShell(fish, script)).toEqual([...AFTER, 'PGSERVICE=', 'prod unexported']);
  });
});
