import type { Instance } from '../../spec/e2e/support/api.ts';
import { recordCreations, recordFloor } from '../creations.ts';
import type { Recorder } from '../results.ts';
import { measure } from '../statistics.ts';
import type { Workbench } from '../workbench.ts';

const SAMPLES = 15;
const AT_ONCE = 15;

/** Fifteen instances at once, until the last is answered, beside as many floors at once. */
export async function benchCreate15(bench: Workbench, record: Recorder): Promise<void> {
  const { api, floor, imageId } = bench;
  const answers = new Map<number, number>();
  const create = async (): Promise<Instance> => {
    const { ms, result } = await measure(() => api.createInstance(imageId));
    answers.set(result.id, ms);
    return result;
  };
  const count = bench.count(SAMPLES);
  await bench.settle();
  for (let round = 0; round < count; round++) {
    await makeAtOnce(
      record,
      'floor_ms',
      () => floor.start(),
      (each) => floor.destroy(each),
    );
    await makeAtOnce(record, 'ours_ms', create, ({ id }) => api.destroyInstance(id));
    await makeAtOnce(
      record,
      'proven_floor_ms',
      () => floor.startProven(),
      (each) => {
        recordFloor(record, each);
        return floor.destroyProven(each);
      },
    );
  }
  await recordCreations(bench, record, answers);
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
