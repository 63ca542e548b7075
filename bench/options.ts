import { parseArgs } from 'node:util';

/** What a run is asked for. */
export interface Options {
  /** Names of the parts to run, in the order they run. */
  parts: string[];
  /** A fraction of the samples: shows that all works, proves nothing. */
  quick: boolean;
  /** Path of another checkout whose build is measured in the same run. */
  beside: string | undefined;
}

export const USAGE = 'usage: node bench/run.ts [--quick] [--only PART,…] [--beside CHECKOUT]';

/** Reads the command line. Throws for a wrong one, with a message for people. */
export function parseOptions(args: readonly string[], known: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      beside: { type: 'string' },
    },
  });
  const only = values.only?.split(',').filter(Boolean);
  const unknown = only?.filter((name) => !known.includes(name)) ?? [];
  if (unknown.length > 0) throw new Error(`no part ${unknown.join(', ')}: there are ${known.join(', ')}`);
  const parts = known.filter((name) => only?.includes(name) ?? true);
  return { parts, quick: values.quick, beside: values.beside };
}
