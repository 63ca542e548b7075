import type { PreparationScripts } from './image.ts';

/** What the worker of a preparation reads on stdin, as JSON. */
export interface PreparationRequest extends PreparationScripts {
  /** Whether tables are rewritten at the end, or the space of dead rows only marked as free. */
  readonly scrub: Scrub;
}

export type Scrub = 'full' | 'fast';
