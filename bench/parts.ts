import { benchCreate } from './parts/create.ts';
import type { Recorder } from './results.ts';
import type { Workbench } from './workbench.ts';

/** Takes the samples of one part. */
export type Part = (bench: Workbench, record: Recorder) => Promise<void>;

/** All parts by name, in the order they run. */
export const PARTS: Record<string, Part> = {
  create: benchCreate,
};
