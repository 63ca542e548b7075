/**
 * The process of other-build.ts: makes an installation of the build in DRAUPNIR_E2E_CHECKOUT, measures what its parent asks for,
 * and removes the installation when the parent disconnects or ends.
 */
import type { Operation, Report } from './other-build.ts';
import { measureOurs } from './parts/finalise.ts';
import { measure } from './statistics.ts';
import { Workbench } from './workbench.ts';

const MB = 200;

const OPERATIONS: Record<Operation, (bench: Workbench) => Promise<number[]>> = {
  create: async ({ api, imageId }) => {
    const created = await measure(() => api.createInstance(imageId));
    const destroyed = await measure(() => api.destroyInstance(created.result.id));
    return [created.ms, destroyed.ms];
  },
  finalise: async (bench) => {
    const ms = await measureOurs(bench, MB);
    // What is measured next must not wait for this volume.
    await bench.settle();
    return [ms];
  },
};

async function main(): Promise<void> {
  const made = Promise.withResolvers<Workbench | undefined>();
  // The terminal sends these to both processes; the parent decides.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
  process.on('disconnect', () => {
    made.promise
      .then((it) => it?.remove())
      .then(
        () => process.exit(),
        (error: unknown) => {
          process.stderr.write(`the other build is not removed: ${getMessage(error)}\n`);
          process.exit(1);
        },
      );
  });
  try {
    const bench = await Workbench.create({ quick: false }, made.resolve);
    await bench.settle();
    process.on('message', (operation: Operation) => {
      OPERATIONS[operation](bench).then((times) => {
        send({ times });
      }, sendError);
    });
    send({ times: [] });
  } catch (error) {
    // Changes nothing when there is an installation to remove.
    made.resolve(undefined);
    sendError(error);
  }
}

function send(report: Report): void {
  if (process.connected) process.send?.(report);
}

function sendError(error: unknown): void {
  send({ error: getMessage(error) });
}

function getMessage(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error';
}

await main();
