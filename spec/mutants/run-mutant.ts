import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import type { Checkout } from './checkout.ts';
import { applyMutant, type Mutant } from './mutant.ts';
import { listStages, type Stage } from './stages.ts';

/** What has noticed a mutant. */
export interface Verdict {
  mutant: Mutant;
  /** The stage whose tests failed; undefined when all passed: the mutant survived. */
  killedIn?: Stage['project'] | 'build' | undefined;
  /** The first test that failed, or how the run ended. */
  killedBy?: string | undefined;
  seconds: number;
}

/**
 * Of namespaces: a script that is changed may stop any process and unmount anything, as root. All of it ends with the first process.
 * (unshare(1))
 */
const CONTAINED = ['--mount', '--pid', '--net', '--ipc', '--fork', '--kill-child', '--mount-proc'];

/** Runs the tests that cover a mutant until one fails. */
export async function runMutant(checkout: Checkout, mutant: Mutant, slot: number): Promise<Verdict> {
  const started = performance.now();
  const kill = await checkout.withChange(
    mutant.file,
    (text) => applyMutant(text, mutant),
    () => findKiller(checkout, listStages(mutant), slot),
  );
  return { mutant, ...kill, seconds: Math.round((performance.now() - started) / 1000) };
}

async function findKiller(
  checkout: Checkout,
  stages: readonly Stage[],
  slot: number,
): Promise<Pick<Verdict, 'killedIn' | 'killedBy'>> {
  for (const stage of stages) {
    if (stage.needsBuild) {
      const build = await execa('node', ['build.ts'], { cwd: checkout.root, reject: false, stdin: 'ignore' });
      if (build.failed) return { killedIn: 'build', killedBy: 'it does not build' };
    }
    const killedBy = await runStage(checkout.root, stage, slot);
    if (killedBy !== undefined) return { killedIn: stage.project, killedBy };
  }
  return {};
}

/** Resolves to what failed, or to undefined when all tests passed. */
async function runStage(root: string, stage: Stage, slot: number): Promise<string | undefined> {
  const { project, selection, timeoutMs } = stage;
  const report = join(root, 'tmp/report.json');
  await rm(report, { force: true });
  const vitest = ['vitest', ...selection, '--run', '--project', project, '--bail', '1', '--passWithNoTests'];
  const reporter = ['--reporter', 'json', '--outputFile', report];
  const script = 'ip link set lo up && exec "$@"';
  const result = await execa('unshare', [...CONTAINED, 'sh', '-c', script, 'sh', ...vitest, ...reporter], {
    cwd: root,
    env: { DRAUPNIR_E2E_SLOT: String(slot) },
    stdin: 'ignore',
    all: true,
    reject: false,
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  if (!result.failed) return undefined;
  if (result.timedOut) return `the tests hang (${timeoutMs / 1000} s)`;
  return (await findFailedTest(report)) ?? `no test ran: ${findError(result.all)}`;
}

/** The line of what Vitest printed that names the error. */
function findError(output: string): string {
  const lines = stripVTControlCharacters(output).trim().split('\n');
  return lines.find((line) => line.includes('Error: ')) ?? lines.at(-1) ?? '';
}

interface Report {
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { status: string; fullName: string }[];
  }[];
}

async function findFailedTest(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { testResults } = JSON.parse(text) as Report;
  const failed = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === 'failed')
      .map(({ fullName }) => `${getSpec(name)}: ${fullName}`),
  );
  // Files that were cut short by the failure of another one have failed, too, without a test that has.
  const broken = testResults.find(({ status }) => status === 'failed');
  return (
    failed[0] ?? (broken && `${getSpec(broken.name)}: ${broken.message.split('\n')[0] || 'its hooks failed'}`)
  );
}

function getSpec(path: string): string {
  return path.slice(path.lastIndexOf('/spec/') + 1);
}
