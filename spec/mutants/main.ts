/**
 * `make mutants`: makes single changes to the program, one at a time, and runs the tests that cover them: unit tests first, then
 * integration, then e2e tests. A change that no test notices has survived. Prints each, and those that survived again at the end; writes
 * tmp/mutants/results.json. Fails when more than one in ten survived, or when tests fail without a change.
 *
 * DRAUPNIR_MUTANTS sets how many; DRAUPNIR_MUTANTS_SEED repeats a choice. With parts of paths of files, of these alone.
 */
import { globSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { print } from '../run/print.ts';
import { readFirstSlot, readLanes } from '../run/run-in-lanes.ts';
import { writeJson } from '../run/write-json.ts';
import { isBash, listBashMutants } from './bash-mutants.ts';
import { Checkout } from './checkout.ts';
import { applyMutant, AREAS, formatMutant, type Mutant } from './mutant.ts';
import { runMutant, type Verdict } from './run-mutant.ts';
import { sampleMutants } from './sample.ts';
import { TypeChecker } from './type-checker.ts';
import { listTypeScriptMutants } from './typescript-mutants.ts';

const ROOT = join(import.meta.dirname, '../..');
const OUT = join(ROOT, 'tmp/mutants');
const COUNT = 60;

/** At least so many of them have to be noticed. */
const KILLED_SHARE = 0.9;

const SEEDS = 2 ** 31;

const started = performance.now();
const seed = Number(process.env.DRAUPNIR_MUTANTS_SEED ?? Math.floor(Math.random() * SEEDS));
const count = Number(process.env.DRAUPNIR_MUTANTS ?? COUNT);
const all = await listMutants(process.argv.slice(2));
const checker = new TypeChecker(ROOT);
const chosen = sampleMutants(all, { count, seed, isValid: hasTypes });
print(`${chosen.length} of ${all.length} mutants, seed ${seed}`);

const queue = [...listControls(chosen), ...chosen];
const verdicts: Verdict[] = [];
await Promise.all(Array.from({ length: readLanes() }, (_, number) => runLane(number)));

const isControl = ({ mutant }: Verdict): boolean => mutant.operator === 'Control';
const controls = verdicts.filter(isControl);
const results = verdicts.filter((verdict) => !isControl(verdict));
const survivors = results.filter(({ killedIn }) => killedIn === undefined);
const broken = controls.filter(({ killedIn }) => killedIn !== undefined);
const minutes = Math.round((performance.now() - started) / 6000) / 10;
await writeJson(join(OUT, 'results.json'), { seed, minutes, results, controls });
print(`\n${survivors.length} survived:`);
for (const { mutant } of survivors) print(`  ${await describe(mutant)}`);
for (const { killedBy } of broken) print(`tests fail without a change: ${killedBy ?? ''}`);
print(`${results.length - survivors.length} of ${results.length} killed, ${minutes} minutes, seed ${seed}`);
const isEnough = results.length - survivors.length >= KILLED_SHARE * results.length;
process.exitCode = isEnough && broken.length === 0 ? 0 : 1;

async function listMutants(filters: readonly string[]): Promise<Mutant[]> {
  const mutants: Mutant[] = [];
  for (const area of AREAS) {
    const pattern = area === 'scripts' ? 'scripts/{draupnir-*,lib/*}' : `src/${area}/**/*.ts`;
    for (const file of globSync(pattern, { cwd: ROOT }).sort()) {
      if (filters.length > 0 && !filters.some((part) => file.includes(part))) continue;
      const text = await readFile(join(ROOT, file), 'utf8');
      if (area !== 'scripts') mutants.push(...(await listTypeScriptMutants(area, file, text)));
      else if (isBash(text)) mutants.push(...(await listBashMutants(file, text)));
    }
  }
  return mutants;
}

/** What the compiler rejects needs no test: `make lint` finds it. */
function hasTypes(mutant: Mutant): boolean {
  if (mutant.area === 'scripts') return true;
  return checker.accepts(mutant.file, applyMutant(readFileSync(join(ROOT, mutant.file), 'utf8'), mutant));
}

/** A change that changes nothing, for each kind of file: its tests have to pass, or a failure would say nothing of the mutants. */
function listControls(mutants: readonly Mutant[]): Mutant[] {
  const firsts = [
    mutants.find(({ area }) => area === 'core'),
    mutants.find(({ area }) => area === 'scripts'),
  ];
  return firsts
    .filter((mutant) => mutant !== undefined)
    .map((mutant) => ({ ...mutant, operator: 'Control', end: mutant.start, replacement: '' }));
}

async function runLane(number: number): Promise<void> {
  const checkout = await Checkout.create(ROOT, join(OUT, `lane-${number}`));
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const verdict = await runMutant(checkout, mutant, readFirstSlot() + number);
    verdicts.push(verdict);
    const { killedIn = 'SURVIVED', killedBy = '', seconds } = verdict;
    print(`${killedIn.padEnd(11)} ${String(seconds).padStart(3)} s  ${await describe(mutant)}`);
    if (killedBy !== '') print(`${' '.repeat(19)}${killedBy}`);
  }
  await checkout.remove();
}

async function describe(mutant: Mutant): Promise<string> {
  return formatMutant(await readFile(join(ROOT, mutant.file), 'utf8'), mutant);
}
