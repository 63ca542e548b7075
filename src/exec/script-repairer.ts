import type { Credentials, InstanceProof, InstanceStorage } from '../core/instance.ts';
import { DomainError } from '../core/errors.ts';
import type { Repair } from '../doctor/finding.ts';
import type { Repairer } from '../doctor/repair.ts';
import type { ScriptRunner } from './script-runner.ts';

export interface RepairerParts {
  scripts: ScriptRunner;
  storage: Pick<InstanceStorage, 'startInstance'>;
  proof: InstanceProof;
  /** What is needed to prove who gets in. */
  find: (id: number) => Promise<{ port: number; credentials: Credentials }>;
}

/** Repairs by the scripts, which take the same locks as those of a running server. */
export class ScriptRepairer implements Repairer {
  readonly #parts: RepairerParts;

  constructor(parts: RepairerParts) {
    this.#parts = parts;
  }

  async repair({ action, id }: Repair): Promise<void> {
    const { scripts } = this.#parts;
    switch (action) {
      case 'start-instance':
        await this.#start(id);
        break;
      case 'restart-instance':
        // One whose postmaster is suspended is started anew at once; it would not heed the request to stop.
        if (await this.#start(id)) break;
        await scripts.run('draupnir-stop-instance', [id]);
        await this.#start(id);
        break;
      case 'stop-instance':
      case 'tidy-instance':
      case 'tidy-image':
        await scripts.run(`draupnir-${action}`, [id]);
    }
  }

  /**
   * As the server starts one: the world is admitted only after the proof that nobody but its client gets in. False when it
   * runs already.
   */
  async #start(id: number): Promise<boolean> {
    const { storage, proof, find } = this.#parts;
    const { port, credentials } = await find(id);
    const started = await storage.startInstance(id);
    if (!('open' in started)) return false;
    try {
      await proof.prove({ id, port }, credentials, started);
      await started.open();
      return true;
    } catch (error) {
      const reason = await started.abandon();
      throw reason === undefined ? error : new DomainError('instance_failed', reason, { cause: error });
    }
  }
}
