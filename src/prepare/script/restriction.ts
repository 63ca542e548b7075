/** A line of psql that allows no meta-commands until the line that lifts it, as pg_dump writes both. */
const RESTRICT = /^\\restrict[ \t]/;
const UNRESTRICT = /^\\unrestrict[ \t]/;

/**
 * The line, counted from 1, of the `\restrict` that is in force behind the given line of a script; undefined where none is. psql
 * fails at every meta-command then, and at the end of the script.
 */
export function findRestriction(script: string, behindLine: number): number | undefined {
  let restricted: number | undefined;
  for (const [index, line] of script.split('\n').slice(0, behindLine).entries()) {
    if (RESTRICT.test(line)) restricted = index + 1;
    else if (UNRESTRICT.test(line)) restricted = undefined;
  }
  return restricted;
}
