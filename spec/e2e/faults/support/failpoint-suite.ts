import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../../support/api.ts';
import { EACH, FULL, SOAK, measureConvergence, recordFaults } from '../../support/faults.ts';
import { type HostState, readQuietState } from '../../support/host-state.ts';
import { getInstallation } from '../../support/installation.ts';
import { Server } from '../../support/server.ts';
import { writeServerConfig } from '../../support/server-config.ts';
import { waitUntil } from '../../support/wait.ts';
import { type FaultAction, type Failpoint, Failpoints } from './failpoints.ts';
import { clear, type Operation, OPERATIONS } from './operations.ts';
import { readSeed, readShare } from './seed.ts';

/** Short deadlines: what hangs is given up while the test waits. */
const DEADLINES = `block_instance_egress = false
script_timeout = "3s"
instance_start_timeout = "6s"
finalise_timeout = "${FULL ? 60 : 30}s"
reconcile_interval = "200ms"`;

const SEED = readSeed();
const SHARE = readShare();
/** For the work that is asked for again, on a busy machine, in milliseconds. */
const RETRY_LIMIT_MS = 120_000;
/** Hours where all is tried. */
const TIMEOUT_MS = EACH ? 24 * 3_600_000 : 1_200_000;
/** What the smoke tries with one operation: each once, at the points that the seed says. */
const SMOKE: readonly FaultAction[] = ['kill', 'kill-server', 'fail', 'hang'];
/** The same of an operation that takes as long as a preparation. */
const SMOKE_OF_LONG = 2;
/** The same for the whole matrix, of an operation that takes as long as a preparation; of others it tries every point. */
const FULL_OF_LONG = 25;

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

/** The soak tries every point with every action, with and without a restart; other runs one fault of each, in the seed's order. */
function listFaults(points: readonly Failpoint[]): Fault[] {
  const faults = points.map((point) =>
    listActions(point).flatMap((action) => [true, false].map((restart) => ({ point, action, restart }))),
  );
  if (SOAK) return faults.flat().filter((_, index) => index % SHARE.of === SHARE.number - 1);
  const shuffled = fc.shuffledSubarray(faults, { minLength: faults.length });
  const one = shuffled.chain((each) => fc.tuple(...each.map((some) => fc.constantFrom(...some))));
  return fc.sample(one, { seed: SEED, numRuns: 1 }).flat();
}

/**
 * How many of so many faults are to be reached. Not all can be: where work of the background was traced too, its points are not
 * always passed again.
 */
function boundTries(faults: number, { isLong = false }: Operation): { least: number; most: number } {
  let most = faults;
  if (!FULL) most = isLong ? SMOKE_OF_LONG : SMOKE.length;
  else if (isLong && !EACH) most = FULL_OF_LONG;
  return { least: Math.min(most, Math.ceil(faults / 2)), most };
}

function listActions({ of }: Failpoint): FaultAction[] {
  return of === 'server' ? ['kill', 'fail', 'hang'] : ['kill', 'kill-server', 'fail', 'hang'];
}

/** Injects one fault and asks until all is done; resolves to how long that took, or undefined when it was not reached. */
async function tryFault(operation: Operation, fault: Fault, before: HostState): Promise<number | undefined> {
  const id = await prepare(operation);
  await failpoints.arm(fault.point, fault.action, server.pid);
  const first = await operation.ask(id).catch((error: unknown) => error as Error);
  const reached = await failpoints.disarm();
  const since = performance.now();
  const killed = fault.action === 'kill-server' || (fault.action === 'kill' && fault.point.of === 'server');
  if (reached && killed) await server.kill();
  else if (reached && fault.restart) expect(await server.stop()).toBe(0);
  if (!server.isRunning) await startServer();

  const answers = [first];
  let answer = first instanceof Error || !operation.isDone(first) ? undefined : first;
  let workMs = 0;
  answer ??= await waitUntil(
    'it is done',
    async () => {
      const asked = performance.now();
      const next = await operation.ask(id).catch((error: unknown) => error as Error);
      workMs = performance.now() - asked;
      answers.push(next);
      return !(next instanceof Error) && operation.isDone(next) && next;
    },
    RETRY_LIMIT_MS,
  ).catch((error: unknown) => {
    throw new Error(`it was answered ${describeAnswers(answers)}`, { cause: error });
  });
  // The work itself, when it is done anew, takes what it takes.
  const convergenceMs = await measureConvergence(since + workMs);
  await operation.verify(id, answer);
  if (reached && fault.action === 'hang' && fault.point.of === 'script') {
    await failpoints.release();
    await readQuietState();
    await measureConvergence(performance.now());
  }
  await clear();
  expect(await readQuietState()).toEqual(before);
  return reached ? convergenceMs : undefined;
}

/** What was answered, each answer once. */
function describeAnswers(answers: readonly (Answer | Error)[]): string {
  const texts = answers.map((each) =>
    each instanceof Error ? `nothing (${each.message})` : `${each.status} ${each.text}`,
  );
  return `${texts.length} times: ${[...new Set(texts)].join(', ')}`;
}

/** The deadlines are short for a disk that has a bad moment; what is only prepared is asked for again then. */
function prepare(operation: Operation): Promise<number> {
  return waitUntil('all is prepared', () => operation.prepare().catch(() => undefined), RETRY_LIMIT_MS);
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
      { timeout: TIMEOUT_MS },
      async ({ task }) => {
        await clear();
        const before = await readQuietState();
        const id = await prepare(operation);
        const points = await failpoints.trace(() =>
          waitUntil('it is done', async () => operation.isDone(await operation.ask(id)), RETRY_LIMIT_MS),
        );
        await clear();
        const faults = listFaults(points);
        const problems: string[] = [];
        let [worst, tried] = [0, 0];
        let worstFault = '';
        const { least, most } = boundTries(faults.length, operation);
        const left = new Set(SMOKE);
        for (const fault of faults) {
          if (tried === most) break;
          if (!FULL && !left.has(fault.action)) continue;
          const what = `${fault.action} at ${fault.point.name}${fault.restart ? ', restarted' : ''}`;
          try {
            const convergenceMs = await tryFault(operation, fault, before);
            if (convergenceMs === undefined) continue;
            if (convergenceMs > worst) [worst, worstFault] = [convergenceMs, what];
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
          left.delete(fault.action);
          const stuck = problems.length;
          recordFaults(task, { group: 'A', tried, convergenceMs: worst, worstFault, stuck, seed: SEED });
        }
        expect(problems).toEqual([]);
        expect(tried).toBeGreaterThanOrEqual(least);
      },
    );
  });
}
