import { writeSync } from 'node:fs';

/** Commands whose output is meant for `eval`. */
const EVALUATED = ['new', 'env'];

/** A word that is one slip of the keyboard from `new` or `env`, or is one of them. No other command looks like them. */
const EVALUATED_OR_MISSPELT = new RegExp(`^(${EVALUATED.flatMap(listSlips).join('|')})$`, 'i');

/**
 * Whether a shell evaluates what this command line prints, or would if its command were spelt right. Global flags take
 * no values: the first word without a dash is the command.
 */
export function isForEval(args: readonly string[]): boolean {
  const command = args.find((arg) => !arg.startsWith('-'));
  return command !== undefined && EVALUATED_OR_MISSPELT.test(command);
}

/**
 * From now on a failure of this process, whatever its cause, ends with `false` on stdout (contract: command line).
 * Of no output `eval` makes a success, and `eval "$(draupnir new)" && psql` would go to the PGHOST of before.
 */
export function printFalseOnFailure(): void {
  process.once('exit', (code) => {
    if (code === 0) return;
    try {
      writeSync(process.stdout.fd, 'false\n');
    } catch {
      // What could not be written was reported where stdout failed.
    }
  });
}

/** Patterns for a name with one letter more, less, changed or swapped with the next. */
function listSlips(name: string): string[] {
  return Array.from({ length: name.length + 1 }, (_value, at) => {
    const [before, after] = [name.slice(0, at), name.slice(at)];
    const swapped =
      after.length < 2 ? [] : [`${before}${after.charAt(1)}${after.charAt(0)}${after.slice(2)}`];
    return [`${before}.${after}`, `${before}.?${after.slice(1)}`, ...swapped];
  }).flat();
}
