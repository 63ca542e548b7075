/**
 * `make faults`: the whole matrix of faults, on as many installations side by side as there are lanes. Prints a table and writes
 * tmp/faults/results.json. Fails when a fault, or a whole group, did.
 *
 * DRAUPNIR_FAULTS=each breaks every step at least once, DRAUPNIR_FAULTS=soak in every way (a lane's files by hand, with
 * DRAUPNIR_E2E_SLOT=N DRAUPNIR_FAULTS_SHARE=1/4, where several are to do it); DRAUPNIR_FAULTS_SEED repeats a run.
 */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { FaultGroup } from '../support/faults.ts';
import { formatTable, listMissing, merge, readFigures, writeFigures } from './support/figures.ts';
import { GROUPS } from './support/groups.ts';
import { readSeed } from './support/seed.ts';

/** Seconds of fuzz. */
const FUZZ_SECONDS = '600';
const OUT = join(import.meta.dirname, '../../../tmp/faults');

/** A run of vitest with an installation of its own, and its files below `spec/e2e`. */
interface Lane {
  slot: number;
  /** nice(1) */
  niceness: number;
  files: readonly string[];
}

/** Tests that wait for nothing: they take what the others leave. */
const FUZZ = 'fuzz';

/** About equally long, but for the fuzz, which takes what the others leave. */
const LANES: readonly Lane[] = [
  {
    slot: 1,
    niceness: 0,
    files: ['faults/failpoints-finalise', 'lifecycle', ...listFiles('E', 'F', 'K', 'L', 'M')],
  },
  { slot: 2, niceness: 0, files: listFiles('B', 'C', 'D', 'G', 'H', 'I', 'J', 'N') },
  { slot: 3, niceness: 0, files: ['faults/failpoints'] },
  { slot: 4, niceness: 10, files: [FUZZ] },
];

const started = Date.now();
const seed = readSeed();
await mkdir(OUT, { recursive: true });
const outcomes = await Promise.all(LANES.map(runLane));
const figures = merge(await Promise.all(LANES.map(({ slot }) => readFigures(nameFigures(slot)))));
const missing = listMissing(figures);
const results = {
  started: new Date(started).toISOString(),
  minutes: Math.round((Date.now() - started) / 6000) / 10,
  machine: { cpus: cpus().length, memory_gib: Math.round(totalmem() / 2 ** 30) },
  seed,
  groups: figures,
};
await writeFigures(join(OUT, 'results.json'), results);
process.stdout.write(`${formatTable(figures)}\n${results.minutes} minutes, seed ${seed}\n`);
if (missing.length > 0) process.stderr.write(`no test of group ${missing.join(', ')} ran\n`);
const failed = outcomes.some((passed) => !passed) || missing.length > 0;
process.exitCode = failed ? 1 : 0;

/** Resolves to whether all of its tests passed; what vitest printed is in a file. */
async function runLane({ slot, niceness, files }: Lane): Promise<boolean> {
  const log = join(OUT, `lane-${slot}.log`);
  const args = [
    ...['-n', String(niceness), 'vitest', 'run', '--project', 'e2e', '--reporter', 'verbose'],
    ...['--reporter', join(import.meta.dirname, 'support/reporter.ts')],
    ...files.map((file) => `spec/e2e/${file}.spec.ts`),
  ];
  const run = execa('nice', args, {
    reject: false,
    stdin: 'ignore',
    all: true,
    buffer: false,
    env: {
      DRAUPNIR_E2E_SLOT: String(slot),
      DRAUPNIR_FAULTS: process.env.DRAUPNIR_FAULTS ?? 'full',
      DRAUPNIR_FAULTS_SEED: String(seed),
      DRAUPNIR_FAULTS_FIGURES: nameFigures(slot),
      DRAUPNIR_FUZZ_SECONDS: process.env.DRAUPNIR_FUZZ_SECONDS ?? FUZZ_SECONDS,
      DRAUPNIR_FUZZ_SEED: String(seed),
    },
  });
  run.all.pipe(createWriteStream(log));
  const { exitCode } = await run;
  if (exitCode !== 0) process.stderr.write(`lane ${slot} failed: read ${log}\n`);
  return exitCode === 0;
}

/** Files of these groups that can run with others. */
function listFiles(...groups: FaultGroup[]): string[] {
  return groups.flatMap((group) => GROUPS[group].files.filter((file) => file !== FUZZ));
}

function nameFigures(slot: number): string {
  return join(OUT, `lane-${slot}.json`);
}
