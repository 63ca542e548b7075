import { performance } from 'node:perf_hooks';
import type { TaskMeta } from 'vitest';
import { diagnose, summarise } from './doctor.ts';
import { waitUntil } from './wait.ts';

/** Groups of the fault matrix. */
export type FaultGroup = 'A' | 'B' | 'C' | 'D' | 'E' | 'F' | 'G' | 'H' | 'I' | 'J' | 'K' | 'L' | 'M' | 'N';

/** What a test of faults has seen; a reporter collects it from the meta data of the test. */
export interface FaultFigures {
  group: FaultGroup;
  /** How many faults were injected. */
  tried: number;
  /** The longest time until all was right again, in milliseconds. */
  convergenceMs?: number;
  /** After which fault that was. */
  worstFault?: string;
  /** Subvolumes, processes, ports and the like without a record. */
  orphans?: number;
  /** Records that stay in a state that should pass. */
  stuck?: number;
  /** Makes the same run again. */
  seed?: number;
}

declare module 'vitest' {
  interface TaskMeta {
    faults?: FaultFigures;
  }
}

/** Whether everything is to be tried in every way, however long that takes. */
export const SOAK = process.env.DRAUPNIR_FAULTS === 'soak';

/** Whether everything is to be tried at least once, also what takes long. */
export const EACH = SOAK || process.env.DRAUPNIR_FAULTS === 'each';

/** Whether the whole matrix was asked for, not the smoke of it. */
export const FULL = EACH || process.env.DRAUPNIR_FAULTS === 'full';

/** After a fault everything is right again within this time, in milliseconds. */
export const CONVERGENCE_LIMIT_MS = 10_000;

/** Notes what a test has seen. Called again it replaces what was noted before, so that a test that fails has figures too. */
export function recordFaults(task: { meta: TaskMeta }, figures: FaultFigures): void {
  task.meta.faults = figures;
}

/**
 * Waits until `draupnir doctor` finds nothing, or just what `expected` names (lines of `summarise`), and resolves to how long
 * that took since `since` (on the clock of `performance.now`), in milliseconds. Throws with the findings when it takes too long.
 */
export async function measureConvergence(since: number, expected: readonly string[] = []): Promise<number> {
  let findings: string[] = [];
  let started = since;
  try {
    return await waitUntil(
      'doctor finds nothing',
      async () => {
        // What it reports it has seen after it was started; the time of the look itself is not part of the convergence.
        started = performance.now();
        findings = summarise(await diagnose());
        return findings.join('\n') === expected.join('\n') && started - since;
      },
      CONVERGENCE_LIMIT_MS,
    );
  } catch (error) {
    throw new Error(`doctor still finds, ${Math.round(started - since)} ms on:\n${findings.join('\n')}`, {
      cause: error,
    });
  }
}
