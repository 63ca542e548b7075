import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../../support/api.ts';
import { FULL, SOAK, measureConvergence, recordFaults } from '../../support/faults.ts';
import { type HostState, readHostState } from '../../support/host-state.ts';
import { getInstallation } from '../../support/installation.ts';
import { Server } from '../../support/server.ts';
import { writeServerConfig } from '../../support/server-config.ts';
import { waitUntil } from '../../support/wait.ts';
import { type FaultAction, type Failpoint, Failpoints } from './failpoints.ts';
import { clear, type Operation, OPERATIONS } from './operations.ts';
import { readSeed } from './seed.ts';

/** Short deadlines: what hangs is given up while the test waits. */
const DEADLINES = `block_instance_egress = false
script_timeout = "2s"
instance_start_timeout = "5s"
finalise_timeout = "30s"
reconcile_interval = "200ms"`;

const SEED = readSeed();
/** For the work that is asked for again, on a busy machine, in milliseconds. */
const RETRY_LIMIT_MS = 60_000;
/** How many faults of one operation a run of the whole matrix tries, and the smoke of it. */
const LIMIT = FULL ? 25 : 4;

let failpoints: Failpoints;
let server: Server;

async function startServer(): Promise<void> {
  const config = await writeServerConfig(getInstallation(), 'config.toml', {
    network: DEADLINES,
    scrub: 'fast',
  });
  server = await Server.start({ ...getInstallation(), program: failpoints.program }, config);
}

interface Fault {
  point: Failpoint;
  action: FaultAction;
  /** Whether the server is restarted before the operation is asked for again; one that was killed always is. */
  restart: boolean;
}

/** The soak tries every point with every action, with and without a restart; other runs try what the seed chooses. */
function listFaults(points: readonly Failpoint[]): Fault[] {
  const faults = points.map((point) =>
    listActions(point).flatMap((action) => [true, false].map((restart) => ({ point, action, restart }))),
  );
  if (SOAK) return faults.flat();
  const size = Math.min(LIMIT, points.length);
  const chosen = fc.shuffledSubarray(faults, { minLength: size, maxLength: size });
  const one = chosen.chain((some) => fc.tuple(...some.map((each) => fc.constantFrom(...each))));
  return fc.sample(one, { seed: SEED, numRuns: 1 }).flat();
}

function listActions({ ofServer }: Failpoint): FaultAction[] {
  return ofServer ? ['kill', 'fail', 'hang'] : ['kill', 'kill-server', 'fail', 'hang'];
}

/** Scripts notice the end of their server by themselves, and the server looks at its instances with one. */
function waitForScripts(): Promise<HostState> {
  return waitUntil('the scripts end', async () => {
    const state = await readHostState();
    return state.scripts.length === 0 && state;
  });
}

/** Injects one fault and asks until all is done; resolves to how long that took, or undefined when it was not reached. */
async function tryFault(operation: Operation, fault: Fault, before: HostState): Promise<number | undefined> {
  const id = await operation.prepare();
  await failpoints.arm(fault.point, fault.action, server.pid);
  const first = await operation.ask(id).catch((error: unknown) => error as Error);
  const reached = await failpoints.disarm();
  const since = performance.now();
  const killed = fault.action === 'kill-server' || (fault.action === 'kill' && fault.point.ofServer);
  if (reached && killed) await server.kill();
  else if (reached && fault.restart) expect(await server.stop()).toBe(0);
  if (!server.isRunning) await startServer();

  const answers = first instanceof Error ? [] : [first];
  let answer = answers.find((each) => operation.isDone(each));
  let workMs = 0;
  answer ??= await waitUntil(
    'it is done',
    async () => {
      const asked = performance.now();
      const next = await operation.ask(id).catch(() => undefined);
      workMs = performance.now() - asked;
      if (next) answers.push(next);
      return next && operation.isDone(next) ? next : undefined;
    },
    RETRY_LIMIT_MS,
  ).catch((error: unknown) => {
    throw new Error(`it was answered ${describeAnswers(answers)}`, { cause: error });
  });
  // The work itself, when it is done anew, takes what it takes.
  const convergenceMs = await measureConvergence(since + workMs);
  await operation.verify(id, answer);
  if (reached && fault.action === 'hang' && !fault.point.ofServer) {
    await failpoints.release();
    await waitForScripts();
    await measureConvergence(performance.now());
  }
  await clear();
  expect(await waitForScripts()).toEqual(before);
  return reached ? convergenceMs : undefined;
}

function describeAnswers(answers: readonly Answer[]): string {
  return answers.map(({ status, text }) => `${status} ${text}`).join(', ') || 'by nobody';
}

/** The tests of these operations: whatever breaks at any of their points, each is done in the end, and nothing else. */
export function describeOperations(names: readonly (keyof typeof OPERATIONS)[]): void {
  beforeAll(async () => {
    failpoints = await Failpoints.install();
    await startServer();
  });

  afterAll(async () => {
    await failpoints.disarm();
    await clear();
    expect(await server.stop()).toBe(0);
    await failpoints.remove();
  });

  describe.each(names)('to %s', (name) => {
    const operation = OPERATIONS[name];
    it(
      'is done, once and wholly, whatever breaks at any of its points',
      { timeout: 1_200_000 },
      async ({ task }) => {
        await clear();
        const before = await waitForScripts();
        const id = await operation.prepare();
        const points = await failpoints.trace(async () =>
          expect(operation.isDone(await operation.ask(id))).toBe(true),
        );
        await clear();
        const faults = listFaults(points);
        const problems: string[] = [];
        let [worst, tried] = [0, 0];
        for (const fault of faults) {
          const what = `${fault.action} at ${fault.point.name}${fault.restart ? ', restarted' : ''}`;
          try {
            const convergenceMs = await tryFault(operation, fault, before);
            if (convergenceMs === undefined) continue;
            worst = Math.max(worst, convergenceMs);
          } catch (error) {
            problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
            // The next one starts on clean ground.
            await failpoints.disarm();
            await failpoints.release();
            if (!server.isRunning) await startServer();
            await waitUntil('it is cleared', () =>
              clear().then(
                () => true,
                () => false,
              ),
            );
          }
          tried++;
          recordFaults(task, { group: 'A', tried, convergenceMs: worst, stuck: problems.length, seed: SEED });
        }
        expect(problems).toEqual([]);
        expect(tried).toBeGreaterThan(faults.length / 2);
      },
    );
  });
}
