import pg from 'pg';

/** Texts that are remembered; when there are more, all are forgotten. */
const MAX_REMEMBERED = 10_000;

/** The type `timestamptz` (pg_type.dat). */
const TIMESTAMPTZ: number = pg.types.builtins.TIMESTAMPTZ;

/**
 * Parsers for a pool that read a point in time once: lists show the same rows again and again, and their times are most of the work.
 * Equal texts become one and the same Date, which nobody may change.
 */
export function createTypes(): pg.CustomTypesConfig {
  const getParser = pg.types.getTypeParser as (oid: number, format?: string) => (text: string) => unknown;
  const parse = getParser(TIMESTAMPTZ);
  const known = new Map<string, unknown>();
  const remember = (text: string): unknown => {
    let time = known.get(text);
    if (time === undefined) {
      if (known.size >= MAX_REMEMBERED) known.clear();
      time = parse(text);
      known.set(text, time);
    }
    return time;
  };
  return {
    // Results come as text unless a query asks for binary, which none of ours does.
    getTypeParser: (oid: number, format?: string) =>
      oid === TIMESTAMPTZ ? remember : getParser(oid, format),
  };
}
