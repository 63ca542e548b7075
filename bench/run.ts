/**
 * Measures what the project promises, on this machine: real btrfs, real Postgres, the built program. Floors and ours are
 * measured in turn, in one run. Writes tmp/bench/results.json, and a table to stdout. As root.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compare } from './comparisons.ts';
import { describeMachine } from './machine.ts';
import { parseOptions, USAGE } from './options.ts';
import type { Options } from './options.ts';
import { PARTS } from './parts.ts';
import { Recorder, type Results } from './results.ts';
import { formatResults } from './table.ts';
import { judge } from './targets.ts';
import { Workbench } from './workbench.ts';

const OUT = join(import.meta.dirname, '../tmp/bench');

/** sysexits.h */
const EX_USAGE = 64;

async function main(): Promise<void> {
  const options = readOptions();
  let bench: Workbench | undefined;
  const made = Promise.withResolvers<Workbench>();
  // What was made goes, also when somebody has enough of it; an installation that is half made is completed before.
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    // Not once: execa ends a process that listens no longer.
    process.on(signal, () => {
      tell('interrupted: removing what was made');
      void made.promise.then((it) => it.remove()).finally(() => process.exit(code));
    });
  }
  try {
    tell('making an installation');
    bench = await Workbench.create(options, (it) => {
      bench = it;
      made.resolve(it);
    });
    process.stdout.write(formatResults(await measureParts(bench, options)));
  } catch (error) {
    // The installation goes, and its log with it.
    for (const line of (await bench?.readErrors()) ?? []) tell(JSON.stringify(line));
    throw error;
  } finally {
    await bench?.remove();
  }
}

function readOptions(): Options {
  try {
    return parseOptions(process.argv.slice(2), Object.keys(PARTS));
  } catch (error) {
    tell(`${error instanceof Error ? error.message : 'wrong command line'}\n${USAGE}`);
    process.exit(EX_USAGE);
  }
}

async function measureParts(bench: Workbench, { parts, quick }: Options): Promise<Results> {
  const results: Results = {
    startedAt: new Date().toISOString(),
    machine: await describeMachine(),
    quick,
    samples: {},
    notes: {},
    profiles: {},
    targets: [],
    comparisons: [],
  };
  for (const name of parts) {
    const started = performance.now();
    const recorder = new Recorder();
    await PARTS[name]?.(bench, recorder);
    results.samples[name] = recorder.samples;
    if (recorder.notes.length > 0) results.notes[name] = recorder.notes;
    if (recorder.profiles) results.profiles[name] = recorder.profiles;
    results.targets = judge(results);
    results.comparisons = compare(results);
    // A part that fails takes no other with it.
    await save(results);
    tell(`${name}: done in ${Math.round((performance.now() - started) / 1000)} s`);
  }
  return results;
}

async function save(results: Results): Promise<void> {
  await mkdir(OUT, { recursive: true });
  await writeFile(join(OUT, 'results.json'), `${JSON.stringify(results, undefined, 1)}\n`);
}

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

await main();
