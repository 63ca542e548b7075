import { randomInt } from 'node:crypto';

/** The seed of a run: DRAUPNIR_FAULTS_SEED, to make one again, else a new one. */
export function readSeed(): number {
  const { DRAUPNIR_FAULTS_SEED: seed } = process.env;
  if (seed === undefined) return randomInt(2 ** 31);
  if (!/^[0-9]{1,10}$/.test(seed)) throw new Error(`DRAUPNIR_FAULTS_SEED is "${seed}": set it to a number`);
  return Number(seed);
}
