import { DomainError } from '../core/errors.ts';
import type { ImageStorage } from '../core/image.ts';
import { EX_DATAERR, throwOccupied } from './script-error.ts';
import type { ScriptRunner } from './script-runner.ts';

/** Images on btrfs, by the scripts. */
export class ScriptImageStorage implements ImageStorage {
  readonly #scripts: ScriptRunner;

  constructor(scripts: ScriptRunner) {
    this.#scripts = scripts;
  }

  async createImage(id: number): Promise<void> {
    await this.#scripts.run('draupnir-create-image', [id]).catch(throwOccupied);
  }

  async destroyImage(id: number): Promise<void> {
    await this.#scripts.run('draupnir-destroy-image', [id]);
  }

  async finaliseImage(id: number, anonymisationScript: string, signal: AbortSignal): Promise<void> {
    const process = this.#scripts.start('draupnir-finalise-image', [id]);
    const stop = () => process.end();
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    process.write(`${Buffer.byteLength(anonymisationScript)}\n${anonymisationScript}`);
    try {
      let reason: string | undefined;
      for (let line = await process.readLine(); line !== undefined; line = await process.readLine()) {
        if (line.startsWith('failure ')) reason = line.slice('failure '.length);
      }
      const exitCode = await process.exited();
      if (exitCode === 0) return;
      if (exitCode === EX_DATAERR && reason) throw new DomainError('finalise_failed', reason);
      if (signal.aborted) throw new DomainError('finalise_interrupted', interruption(signal));
      throw await process.failure();
    } finally {
      signal.removeEventListener('abort', stop);
      process.end();
    }
  }
}

function interruption(signal: AbortSignal): string {
  const reason: unknown = signal.reason;
  return reason instanceof Error && reason.name === 'TimeoutError'
    ? 'the preparation took longer than finalise_timeout allows'
    : 'the server stopped during the preparation; ask for it again';
}
