import { recordCreations, recordFloor } from '../creations.ts';
import { runRecipe } from '../recipe.ts';
import type { Recorder } from '../results.ts';
import { inTurn, measure } from '../statistics.ts';
import type { Workbench } from '../workbench.ts';

const SAMPLES = 31;
/** One of the first kind is dear: the recipe takes seconds. */
const RECIPE_SAMPLES = 15;

/** Creating and destroying one instance, beside the floor and the recipe of Draupnir 5.3. */
export async function benchCreate(bench: Workbench, record: Recorder): Promise<void> {
  await bench.settle();
  await createOurs(bench);
  await createFloor(bench);
  await createProvenFloor(bench);
  await bench.other?.create();
  const answers = new Map<number, number>();
  const count = bench.count(SAMPLES);
  for (let round = 0; round < count; round++) {
    await createFloor(bench, record);
    await inTurn(
      round,
      () => createOurs(bench, record, answers),
      () => createOther(bench, record),
    );
    await createProvenFloor(bench, record);
    if (round < bench.count(RECIPE_SAMPLES)) await createByRecipe(bench, record);
  }
  await recordCreations(bench, record, answers);
}

async function createOurs(
  { api, imageId }: Workbench,
  record?: Recorder,
  answers?: Map<number, number>,
): Promise<void> {
  const created = await measure(() => api.createInstance(imageId));
  const destroyed = await measure(() => api.destroyInstance(created.result.id));
  answers?.set(created.result.id, created.ms);
  record?.add('ours_ms', created.ms);
  record?.add('destroy_ours_ms', destroyed.ms);
}

/** The same by another build, if there is one. */
async function createOther({ other }: Workbench, record: Recorder): Promise<void> {
  if (!other) return;
  const { createMs, destroyMs } = await other.create();
  record.add('other_ms', createMs);
  record.add('destroy_other_ms', destroyMs);
}

async function createFloor({ floor }: Workbench, record?: Recorder): Promise<void> {
  const created = await measure(() => floor.start());
  const destroyed = await measure(() => floor.destroy(created.result));
  record?.add('floor_ms', created.ms);
  record?.add('destroy_floor_ms', destroyed.ms);
}

async function createProvenFloor({ floor }: Workbench, record?: Recorder): Promise<void> {
  const { ms, result } = await measure(() => floor.startProven());
  record?.add('proven_floor_ms', ms);
  if (record) recordFloor(record, result);
  await floor.destroyProven(result);
}

async function createByRecipe(bench: Workbench, record: Recorder): Promise<void> {
  const { ms, result: remove } = await measure(() => runRecipe(bench));
  record.add('recipe_ms', ms);
  await remove();
}
