/**
 * A lane: a process with one Vitest, which runs the jobs that the runner sends it, one after the other. The e2e tests of a lane share
 * the installation of its slot (DRAUPNIR_E2E_SLOT), which the first of them makes. It is removed when the lane is told to stop, or
 * when the runner has died.
 */
import { readdir, readFile } from 'node:fs/promises';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { execa } from 'execa';
import { createVitest, DefaultReporter, type Vitest } from 'vitest/node';
import type { Job, JobOutcome, Order } from './job.ts';
import { OutcomeReporter } from './outcome-reporter.ts';

const KILL_INTERVAL_MS = 200;

const stopping = new AbortController();
const reporter = new OutcomeReporter();
let output = '';
const sink = new Writable({
  write(chunk: Buffer, _encoding, done) {
    output += chunk.toString();
    done();
  },
});
const printer = new DefaultReporter({ summary: false });
const options = { watch: false, reporters: [printer, reporter] };
const vitest = await createVitest(options, {}, { stdout: sink, stderr: sink });
printer.onInit(vitest);
// Vitest would end the process at once and leave the installation.
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.removeAllListeners(name);
  process.on(name, () => void stop());
}
process.on('disconnect', () => void stop());
let running: Promise<unknown> = Promise.resolve();
process.on('message', (order: Order) => {
  if (order.kind === 'stop') void stop();
  else running = runJob(order.job).then((outcome) => process.send?.(outcome));
});
process.send?.('ready');

async function runJob(job: Job): Promise<JobOutcome> {
  const started = performance.now();
  output = '';
  // What the tests start inherits it.
  setPriority(job.niceness);
  let passed = false;
  let laneFailed = false;
  try {
    for (const [file = '', ...args] of job.before) {
      await execa(file, args, { stdin: 'ignore', cancelSignal: stopping.signal });
    }
    // Vitest throws when what all files of the project need cannot be made, and does not try again.
    laneFailed = true;
    passed = await runFiles(vitest, job);
    laneFailed = false;
  } catch (error) {
    output += error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const durationMs = performance.now() - started;
  return { job, passed, durationMs, files: reporter.take(), output, laneFailed };
}

async function runFiles(vitest: Vitest, { project, files }: Job): Promise<boolean> {
  const owner = vitest.getProjectByName(project);
  const specifications = files.map((file) => owner.createSpecification(join(vitest.config.root, file)));
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications);
  // Those of earlier runs are in there too.
  const ids = new Set(specifications.map(({ moduleId }) => moduleId));
  const ran = testModules.filter(({ moduleId }) => ids.has(moduleId));
  return unhandledErrors.length === 0 && ran.length === ids.size && ran.every((module) => module.ok());
}

/** Ends the tests that run, and removes what the lane has made; the exit code is 1 when that fails. */
async function stop(): Promise<void> {
  if (stopping.signal.aborted) return;
  stopping.abort();
  // One may be about to start, after the installation has been made.
  const timer = setInterval(() => void endWorkers(), KILL_INTERVAL_MS);
  await running;
  clearInterval(timer);
  output = '';
  // Vitest sets it for tests that failed, too.
  process.exitCode = 0;
  await vitest.close();
  if (process.exitCode !== 0) process.stderr.write(output);
  process.exit();
}

/** A worker that was killed fails its files: Vitest itself would wait for the end of the test. */
async function endWorkers(): Promise<void> {
  const pid = String(process.pid);
  const children = await readdir('/proc').then((names) =>
    Promise.all(names.filter((name) => /^\d+$/.test(name)).map(readParent)),
  );
  for (const child of children)
    if (child.parent === pid && child.isWorker) process.kill(child.pid, 'SIGKILL');
}

async function readParent(name: string): Promise<{ pid: number; parent: string; isWorker: boolean }> {
  const [stat, command] = await Promise.all(
    ['stat', 'cmdline'].map((file) => readFile(`/proc/${name}/${file}`, 'utf8').catch(() => '')),
  );
  const parent = stat?.slice(stat.lastIndexOf(')')).split(' ')[2] ?? '';
  return { pid: Number(name), parent, isWorker: command?.includes('/vitest/dist/workers/') ?? false };
}
