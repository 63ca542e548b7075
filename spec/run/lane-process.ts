import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Job, JobOutcome, Order } from './job.ts';
import type { Lane } from './run-jobs.ts';

const PROGRAM = join(import.meta.dirname, 'lane.ts');

/** A lane may take this long to remove what it has made, in milliseconds. */
const STOP_MS = 120_000;

/** A lane that is a process of its own (lane.ts). */
export class LaneProcess implements Lane {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = once(child, 'exit');
  }

  /** Starts a lane whose installation is that of a slot; its tests see `env` as well. Throws when it ends before it is ready. */
  static async start(slot: number, env: Record<string, string> = {}): Promise<LaneProcess> {
    // Vitest looks for the flag; a variable would be seen by the tested programs too.
    const child = fork(PROGRAM, ['--color'], {
      // A process group of its own: at Ctrl-C the runner alone gets the signal, and has the lanes remove what they made.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, ...env, DRAUPNIR_E2E_SLOT: String(slot) },
    });
    const lane = new LaneProcess(child);
    await lane.#receive();
    return lane;
  }

  get isRunning(): boolean {
    return this.#child.connected && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Runs a job. Throws when the lane ends meanwhile. */
  async run(job: Job): Promise<JobOutcome> {
    this.#send({ kind: 'run', job });
    return (await this.#receive()) as JobOutcome;
  }

  /** Ends what runs and resolves when the lane has removed what it made. Throws when it cannot. May be called twice. */
  async stop(): Promise<void> {
    if (!this.isRunning) return;
    this.#send({ kind: 'stop' });
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await this.#ended;
    clearTimeout(timer);
    if (this.#child.exitCode !== 0) throw new Error('a lane has not removed all that it made');
  }

  #send(order: Order): void {
    if (!this.isRunning) throw new Error('the lane has ended');
    this.#child.send(order);
  }

  async #receive(): Promise<unknown> {
    const ended = this.#ended.then(() => {
      throw new Error(`the lane ended with ${this.#child.exitCode ?? this.#child.signalCode ?? 'an error'}`);
    });
    const [message] = (await Promise.race([once(this.#child, 'message'), ended])) as unknown[];
    return message;
  }
}
