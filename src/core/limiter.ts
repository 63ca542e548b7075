import pLimit from 'p-limit';
import { DomainError } from './errors.ts';

/** Lets some tasks run at once and some more wait for their turn, in the order they came. */
export class Limiter {
  readonly #limit;
  readonly #room: number;

  constructor({ concurrency, queueLength }: { concurrency: number; queueLength: number }) {
    this.#limit = pLimit(concurrency);
    this.#room = concurrency + queueLength;
  }

  /** Throws `too_busy` when the queue is full. */
  requireRoom(): void {
    if (this.#limit.activeCount + this.#limit.pendingCount < this.#room) return;
    throw new DomainError('too_busy', 'too many of these are under way: try again in a while');
  }

  /** Runs a task as soon as there is room. Throws `too_busy` when the queue is full. */
  run<T>(task: () => Promise<T>): Promise<T> {
    this.requireRoom();
    return this.#limit(task);
  }
}
