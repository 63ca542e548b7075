import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const SCRIPTS = join(import.meta.dirname, '../../../scripts');
const names = readdirSync(SCRIPTS).filter((name) => name.startsWith('draupnir-'));

/** What a trap may do besides calling a function: leave, and remove the lock file, which needs no split words. */
const PLAIN = ['', '-', 'exit 143', 'rm -f -- "${LOCK_FILE}"'];

function readFunction(text: string, name: string): string {
  return new RegExp(`^${name}\\(\\) \\{\\n([^]*?)^\\}`, 'm').exec(text)?.[1] ?? '';
}

/** Names that `local` declares in a function. */
function listLocals(body: string): string[] {
  return [...body.matchAll(/^ +local (?:-\w+ )?(.+)$/gm)].flatMap(([, words = '']) =>
    [...words.matchAll(/(?:^| )([a-z_]+)(?:=\S*)?/g)].map(([, name = '']) => name),
  );
}

const handlers = names.flatMap((script) => {
  const text = readFileSync(join(SCRIPTS, script), 'utf8');
  const actions = [...text.matchAll(/^ *trap (?:'([^']*)'|(\S+)) /gm)].map(
    ([, quoted, word]) => quoted ?? word ?? '',
  );
  return actions.filter((action) => !PLAIN.includes(action)).map((action) => ({ script, text, action }));
});

describe('the traps of the scripts', () => {
  it('are found', () => {
    expect(handlers.map(({ script }) => script)).toContain('draupnir-create-instance');
    expect(handlers.length).toBeGreaterThanOrEqual(5);
  });

  it.each(handlers)(
    'of $script, $action, first restore what a signal can find changed',
    ({ text, action }) => {
      const commands = readFunction(text, action)
        .split('\n')
        .map((line) => line.trim());
      expect(commands.find((line) => !line.startsWith('local '))).toBe('ignore_signals');
    },
  );

  it.each(handlers)(
    'of $script, $action, use no local variable of main, which is gone after an error',
    ({ text, action }) => {
      const body = readFunction(text, action);
      const own = listLocals(body);
      const foreign = listLocals(readFunction(text, 'main')).filter((name) => !own.includes(name));
      expect(foreign.length).toBeGreaterThan(0);
      // As ${name}, or without braces in arithmetic.
      const isUsed = (name: string): boolean =>
        new RegExp(`\\$\\{${name}\\b|\\(\\([^)]*\\b${name}\\b`).test(body);
      expect(foreign.filter(isUsed)).toEqual([]);
    },
  );
});
