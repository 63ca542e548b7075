import type { Recorder } from '../results.ts';
import { measure } from '../statistics.ts';
import type { Workbench } from '../workbench.ts';

const SAMPLES = 15;
const AT_ONCE = 15;

/** Fifteen instances at once, until the last is answered, beside as many floors at once. */
export async function benchCreate15(bench: Workbench, record: Recorder): Promise<void> {
  const { api, floor, imageId } = bench;
  const count = bench.count(SAMPLES);
  await bench.settle();
  for (let round = 0; round < count; round++) {
    await makeAtOnce(
      record,
      'floor_ms',
      () => floor.start(),
      (each) => floor.destroy(each),
    );
    await makeAtOnce(
      record,
      'ours_ms',
      () => api.createInstance(imageId),
      ({ id }) => api.destroyInstance(id),
    );
    await makeAtOnce(
      record,
      'proven_floor_ms',
      () => floor.startProven(),
      (each) => floor.destroy(each),
    );
  }
}

async function makeAtOnce<T>(
  record: Recorder,
  series: string,
  make: () => Promise<T>,
  destroy: (made: T) => Promise<unknown>,
): Promise<void> {
  const { ms, result } = await measure(() => Promise.all(Array.from({ length: AT_ONCE }, make)));
  record.add(series, ms);
  await Promise.all(result.map(destroy));
}
