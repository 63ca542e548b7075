import { DomainError } from '../core/errors.ts';
import type { ImageStorage, PreparationScripts, Progress } from '../core/image.ts';
import type { PreparationRequest, Scrub } from '../core/preparation-request.ts';
import { expectLine } from './script-dialogue.ts';
import { EX_DATAERR, throwOccupied, toFailure } from './script-error.ts';
import type { ScriptProcess } from './script-process.ts';
import type { ScriptRunner } from './script-runner.ts';

/** What the script says as a step begins. */
const STEP = /^step ([a-z]+) ([0-9]+)\/([0-9]+)$/;

/** Images on btrfs, by the scripts. */
export class ScriptImageStorage implements ImageStorage {
  readonly #scripts: ScriptRunner;

  readonly #scrub: Scrub;

  /** `scrub`: whether tables are written anew at the end of a preparation, or the space of dead rows only marked as free. */
  constructor(scripts: ScriptRunner, scrub: Scrub) {
    this.#scripts = scripts;
    this.#scrub = scrub;
  }

  /** A script that comes to it only after we have given it up must not make what nobody knows: it waits for our word. */
  async createImage(id: number): Promise<void> {
    const { timeoutMs } = this.#scripts;
    const process = this.#scripts.start('draupnir-create-image', [id]);
    try {
      await expectLine(process, /^made$/, timeoutMs);
      process.write('keep\n');
      await expectLine(process, /^kept$/, timeoutMs);
    } catch (error) {
      throwOccupied(error);
    } finally {
      process.end();
    }
  }

  async destroyImage(id: number): Promise<void> {
    await this.#scripts.run('draupnir-destroy-image', [id]);
  }

  async finaliseImage(
    id: number,
    scripts: PreparationScripts,
    signal: AbortSignal,
    onStep: (progress: Progress) => void = () => undefined,
  ): Promise<void> {
    const process = this.#scripts.start('draupnir-finalise-image', [id]);
    const overdue = Promise.withResolvers<never>();
    overdue.promise.catch(() => undefined);
    let patience: NodeJS.Timeout | undefined;
    const stop = () => {
      process.end();
      patience = setTimeout(() => overdue.reject(process.createTimeout()), this.#scripts.timeoutMs);
    };
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    const request: PreparationRequest = { ...scripts, scrub: this.#scrub };
    const input = JSON.stringify(request);
    process.write(`${Buffer.byteLength(input)}\n${input}`);
    try {
      const [reason, exitCode] = await Promise.race([follow(process, onStep), overdue.promise]);
      if (exitCode === 0) return;
      if (exitCode === EX_DATAERR && reason) throw new DomainError('finalise_failed', reason);
      if (signal.aborted) throw new DomainError('finalise_interrupted', interruption(signal));
      throw toFailure(await process.failure());
    } finally {
      clearTimeout(patience);
      signal.removeEventListener('abort', stop);
      process.end();
    }
  }
}

/** Reads what the script says to its end; resolves to the reason of a failure and the exit code. */
async function follow(
  process: ScriptProcess,
  onStep: (progress: Progress) => void,
): Promise<[reason: string | undefined, exitCode: number | undefined]> {
  let reason: string | undefined;
  for (let line = await process.readLine(); line !== undefined; line = await process.readLine()) {
    if (line.startsWith('failure ')) reason = line.slice('failure '.length);
    const [, step, number, of] = STEP.exec(line) ?? [];
    if (step !== undefined) onStep({ step, number: Number(number), of: Number(of) });
  }
  return [reason, await process.exited()];
}

function interruption(signal: AbortSignal): string {
  const reason: unknown = signal.reason;
  return reason instanceof Error && reason.name === 'TimeoutError'
    ? 'the preparation took longer than finalise_timeout allows'
    : 'the server is stopping; it goes on with the preparation when it is back';
}
