import type { Meter } from '../../../src/core/meter.ts';

/** Keeps what it was told about instances. */
export class RecordingMeter implements Meter {
  readonly created: { warm: boolean }[] = [];
  readonly notCreated: string[] = [];
  restarted = 0;

  instanceCreated(_durationMs: number, warm: boolean): void {
    this.created.push({ warm });
  }

  instanceNotCreated(reason: string): void {
    this.notCreated.push(reason);
  }

  instanceRestarted(): void {
    this.restarted++;
  }

  preparationEnded(): void {
    // No test asks.
  }

  requestAnswered(): void {
    // No test asks.
  }
}
