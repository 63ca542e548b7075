import { benchApi } from './parts/api.ts';
import { benchCli } from './parts/cli.ts';
import { benchCreate } from './parts/create.ts';
import { benchCreate15 } from './parts/create-15.ts';
import { benchCreateWarm } from './parts/create-warm.ts';
import { benchFinalise, benchFinalise2Gb } from './parts/finalise.ts';
import { benchGrowth } from './parts/growth.ts';
import { benchMemory } from './parts/memory.ts';
import { benchReconcile } from './parts/reconcile.ts';
import type { Recorder } from './results.ts';
import type { Workbench } from './workbench.ts';

/** Takes the samples of one part. */
export type Part = (bench: Workbench, record: Recorder) => Promise<void>;

/** All parts by name, in the order they run. */
export const PARTS: Record<string, Part> = {
  create: benchCreate,
  create_15: benchCreate15,
  create_warm: benchCreateWarm,
  api: benchApi,
  cli: benchCli,
  memory: benchMemory,
  reconcile: benchReconcile,
  growth: benchGrowth,
  finalise: benchFinalise,
  finalise_2gb: benchFinalise2Gb,
};
