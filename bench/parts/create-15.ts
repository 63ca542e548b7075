import type { Recorder } from '../results.ts';
import { measure } from '../statistics.ts';
import type { Workbench } from '../workbench.ts';

const SAMPLES = 15;
const AT_ONCE = 15;

/** Fifteen instances at once, until the last is answered, beside as many floors at once. */
export async function benchCreate15(bench: Workbench, record: Recorder): Promise<void> {
  const { api, floor, imageId } = bench;
  const count = bench.count(SAMPLES);
  for (let round = 0; round < count; round++) {
    const floors = await measure(() => repeat(() => floor.start()));
    record.add('floor_ms', floors.ms);
    await Promise.all(floors.result.map((each) => floor.destroy(each)));

    const ours = await measure(() => repeat(() => api.createInstance(imageId)));
    record.add('ours_ms', ours.ms);
    await Promise.all(ours.result.map(({ id }) => api.destroyInstance(id)));
  }
}

function repeat<T>(operation: () => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: AT_ONCE }, operation));
}
