import type { Recorder } from '../results.ts';
import { measure } from '../statistics.ts';
import type { Workbench } from '../workbench.ts';

const SAMPLES = 21;
/** Instances that run while another one is created. */
const INSTANCES = [1, 50, 150];
/** Images in the table. */
const IMAGES = [1, 100, 1000];
/** Creations at once while the crowd is made. */
const PARALLEL = 4;

/** Whether creating an instance takes longer the more there is. */
export async function benchGrowth(bench: Workbench, record: Recorder): Promise<void> {
  await growInstances(bench, record);
  await growImages(bench, record);
}

async function growInstances(bench: Workbench, record: Recorder): Promise<void> {
  const ids: number[] = [];
  for (const level of INSTANCES) {
    await createUntil(bench, ids, bench.quick ? Math.min(level, 10) : level);
    await sample(bench, record, `instances_${level}`);
  }
  await destroyAll(bench, ids.slice(1));
  // Again with one, so that what has changed on the machine meanwhile is in both.
  await sample(bench, record, 'instances_1');
  await destroyAll(bench, ids.slice(0, 1));
}

async function growImages(bench: Workbench, record: Recorder): Promise<void> {
  for (const level of IMAGES) {
    const present = Number(await bench.sql('SELECT count(*) FROM images'));
    await bench.sql(`INSERT INTO images (backed_up_at, anon, status, created_at, updated_at, attempts)
      SELECT now(), 'bench', 'failed', now(), now(), 1 FROM generate_series(${present + 1}, ${level})`);
    await sample(bench, record, `images_${level}`);
  }
  await bench.sql(`DELETE FROM images WHERE anon = 'bench'`);
}

async function sample(bench: Workbench, record: Recorder, name: string): Promise<void> {
  const { api, floor, imageId } = bench;
  const count = bench.count(SAMPLES);
  for (let round = 0; round < count; round++) {
    const created = await measure(() => floor.start());
    record.add(`${name}_floor_ms`, created.ms);
    await floor.destroy(created.result);
    const ours = await measure(() => api.createInstance(imageId));
    record.add(`${name}_ms`, ours.ms);
    await api.destroyInstance(ours.result.id);
  }
}

/** Creates instances until there are so many of them. */
async function createUntil({ api, imageId }: Workbench, ids: number[], count: number): Promise<void> {
  const work = async (): Promise<void> => {
    while (ids.length < count) {
      // Its place is taken before it exists, so that there are never too many.
      const place = ids.push(0) - 1;
      ids[place] = (await api.createInstance(imageId)).id;
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
}

async function destroyAll({ api }: Workbench, ids: readonly number[]): Promise<void> {
  const left = ids.values();
  const work = async (): Promise<void> => {
    for (const id of left) await api.destroyInstance(id);
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
}
