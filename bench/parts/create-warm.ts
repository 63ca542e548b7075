import { waitUntil } from '../../spec/e2e/support/wait.ts';
import { recordCreations } from '../creations.ts';
import type { Recorder } from '../results.ts';
import { measure } from '../statistics.ts';
import type { Workbench } from '../workbench.ts';

const SAMPLES = 31;
/** Instances made in advance. */
const WARM = 3;

/** Creating an instance where some were made in advance, beside the floor of one that was not. */
export async function benchCreateWarm(bench: Workbench, record: Recorder): Promise<void> {
  const { api, floor, imageId } = bench;
  await bench.start({ warmInstances: WARM });
  const answers = new Map<number, number>();
  const count = bench.count(SAMPLES);
  // The first round is for warming up.
  for (let round = 0; round <= count; round++) {
    await waitForWarm(bench, WARM);
    const bare = await measure(() => floor.start());
    await floor.destroy(bare.result);
    const ours = await measure(() => api.createInstance(imageId));
    await api.destroyInstance(ours.result.id);
    if (round === 0) continue;
    record.add('floor_ms', bare.ms);
    record.add('ours_ms', ours.ms);
    answers.set(ours.result.id, ours.ms);
  }
  const creations = await recordCreations(bench, record, answers);
  if (!creations.every(({ warm }) => warm === true)) throw new Error('an instance was not made in advance');
  // Other parts measure without any.
  await bench.start();
  await waitForWarm(bench, 0);
}

async function waitForWarm(bench: Workbench, count: number): Promise<void> {
  const sql = `SELECT count(*) FROM instances WHERE user_email = '' AND status = 'ready'`;
  await waitUntil(`${count} instances wait`, async () => Number(await bench.sql(sql)) === count);
}
