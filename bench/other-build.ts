import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { LAST_SLOT, SLOT } from '../spec/e2e/support/installation.ts';

const WORKER = join(import.meta.dirname, 'other-build-worker.ts');

/** An installation needs a slot of its own: users, ports and sudo rules belong to one. */
const OTHER_SLOT = SLOT === LAST_SLOT ? 0 : LAST_SLOT;

export type Operation = 'create' | 'finalise';

/** What the worker sends: once when its installation is complete, then once for each operation. */
export type Report = { times: number[] } | { error: string };

/**
 * An installation of another checkout's build and scripts, in a process of its own: the slot is a constant of a process. Both
 * are measured by the bench of this checkout.
 */
export class OtherBuild {
  readonly #worker: ChildProcess;
  readonly #ended: Promise<unknown>;
  /** Resolves when it can be measured. */
  readonly ready: Promise<unknown>;

  /** By the path of a checkout, or of its `dist/draupnir`. */
  constructor(path: string) {
    const checkout = resolve(path).replace(/\/dist\/draupnir$/, '');
    const env = { ...process.env, DRAUPNIR_E2E_SLOT: String(OTHER_SLOT), DRAUPNIR_E2E_CHECKOUT: checkout };
    this.#worker = fork(WORKER, { env, execArgv: [] });
    this.#ended = once(this.#worker, 'exit');
    this.ready = this.#getReport();
  }

  /** Creates and destroys an instance. */
  async create(): Promise<{ createMs: number; destroyMs: number }> {
    const [createMs = NaN, destroyMs = NaN] = await this.#run('create');
    return { createMs, destroyMs };
  }

  /** Prepares an image of 200 MB; resolves to its milliseconds. */
  async finalise(): Promise<number> {
    const [ms = NaN] = await this.#run('finalise');
    return ms;
  }

  /** Resolves when its installation is removed. */
  async remove(): Promise<void> {
    if (this.#worker.connected) this.#worker.disconnect();
    await this.#ended;
  }

  #run(operation: Operation): Promise<number[]> {
    this.#worker.send(operation);
    return this.#getReport();
  }

  async #getReport(): Promise<number[]> {
    const ended = this.#ended.then(() => Promise.reject(new Error('the other build ended: is it built?')));
    const [report] = (await Promise.race([once(this.#worker, 'message'), ended])) as [Report];
    if ('error' in report) throw new Error(`the other build: ${report.error}`);
    return report.times;
  }
}
