import type { Instance } from '../core/instance.ts';
import type { LegacyStorage } from '../core/legacy-data.ts';
import type { Prober } from '../doctor/answer.ts';
import type { ScriptRunner } from './script-runner.ts';

/** What Draupnir 5.3 has left, by a script and by connections. */
export class ScriptLegacyStorage implements LegacyStorage {
  readonly #scripts: ScriptRunner;
  readonly #prober: Prober;

  constructor(scripts: ScriptRunner, prober: Prober) {
    this.#scripts = scripts;
    this.#prober = prober;
  }

  async adoptData(): Promise<void> {
    await this.#scripts.run('draupnir-adopt-data', []);
  }

  /** Every instance of 5.3 has a CA of its own: only its own Postgres has a certificate of that. */
  async answers({ id, imageId, port, userEmail, status }: Instance): Promise<boolean> {
    const record = { id, imageId, port, userEmail, status, ageMs: 0, credentials: null };
    // Which uid it is does not matter to the prober.
    const [probe] = await this.#prober.probe([{ ...record, adoptedUid: NaN }]);
    return probe?.answers.some(({ kind }) => kind === 'itself') ?? false;
  }
}
