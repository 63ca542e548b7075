import { DomainError } from '../../../src/core/errors.ts';
import type { ImageStorage, PreparationScripts, Progress } from '../../../src/core/image.ts';
import type { Steps } from './steps.ts';

/** Images on an imaginary disk. Steps: `disk.<method>`. */
export class FakeImageStorage implements ImageStorage {
  readonly uploads = new Set<number>();
  readonly snapshots = new Set<number>();
  /** What the preparations were given, in order. */
  readonly scripts: string[] = [];
  readonly verifications: PreparationScripts['verification'][] = [];
  /** When set, a preparation ends only by the signal it is given. */
  neverEnds = false;
  readonly #steps: Steps;

  constructor(steps: Steps) {
    this.#steps = steps;
  }

  createImage(id: number): Promise<void> {
    return this.#steps.run('disk.createImage', () => void this.uploads.add(id));
  }

  async finaliseImage(
    id: number,
    scripts: PreparationScripts,
    signal: AbortSignal,
    onStep: (progress: Progress) => void,
  ): Promise<void> {
    this.scripts.push(scripts.anonymisation);
    this.verifications.push(scripts.verification);
    onStep({ step: 'unpack', number: 1, of: 2 });
    await this.#steps.run('disk.finaliseImage', () => undefined);
    if (this.neverEnds) await aborted(signal);
    if (signal.aborted) throw new DomainError('finalise_interrupted', 'interrupted; ask for it again');
    this.snapshots.add(id);
  }

  destroyImage(id: number): Promise<void> {
    return this.#steps.run('disk.destroyImage', () => {
      this.uploads.delete(id);
      this.snapshots.delete(id);
    });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
