import { randomInt } from 'node:crypto';

/** The seed of a run: DRAUPNIR_FAULTS_SEED, to make one again, else a new one. */
export function readSeed(): number {
  const { DRAUPNIR_FAULTS_SEED: seed } = process.env;
  if (seed === undefined) return randomInt(2 ** 31);
  if (!/^[0-9]{1,10}$/.test(seed)) throw new Error(`DRAUPNIR_FAULTS_SEED is "${seed}": set it to a number`);
  return Number(seed);
}

/** Which part of a soak to run, as `2/4` in DRAUPNIR_FAULTS_SHARE: several installations can do it side by side. */
export function readShare(): { number: number; of: number } {
  const { DRAUPNIR_FAULTS_SHARE: share = '1/1' } = process.env;
  const [, number, of] = (/^([1-9]\d?)\/([1-9]\d?)$/.exec(share) ?? []).map(Number);
  if (number === undefined || of === undefined || number > of) {
    throw new Error(`DRAUPNIR_FAULTS_SHARE is "${share}": set it to a share such as 2/4`);
  }
  return { number, of };
}
