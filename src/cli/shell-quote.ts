// Characters that stand outside the quotes behind a backslash. The quote itself has to; a backslash because fish, unlike
// the POSIX shells, reads \\ and \' as escapes between single quotes; the rest because `eval $(draupnir env 1)` without
// double quotes makes bash match its words against file names first, where a backslash means a literal character
// and quotes mean nothing (under nullglob a word with a bare * would vanish).
const ESCAPED = /['\\*?[(]/;
const RUNS = /['\\*?[(]|[^'\\*?[(]+/g;

const PLAIN = /^[A-Za-z0-9_./:@%+,-]+$/;

/**
 * Quotes a value for bash, dash, zsh and fish alike: they all read the result as exactly `value`, be it handed to
 * `eval "$(…)"` or, as long as the value holds no newline, tab or two spaces in a row, to `eval $(…)`.
 * Throws for NUL, which no environment variable can hold.
 */
export function quoteAlways(value: string): string {
  if (value.includes('\0')) throw new RangeError('a NUL character cannot be quoted for a shell');
  const runs = value.match(RUNS) ?? [''];
  return runs.map((run) => (ESCAPED.test(run) ? `\\${run}` : `'${run}'`)).join('');
}

/** As {@link quoteAlways}, but leaves a value alone that no shell would misread. */
export function quoteWhenNeeded(value: string): string {
  return PLAIN.test(value) ? value : quoteAlways(value);
}
