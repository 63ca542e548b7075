import type { CertificateChain } from '../core/instance.ts';
import type { CertificateStorage, InstalledCertificates } from '../core/instance-certificates.ts';
import { withDeadline } from './deadline.ts';
import { expectLine } from './script-dialogue.ts';
import type { ScriptProcess } from './script-process.ts';
import type { ScriptRunner } from './script-runner.ts';

/** What the script says once the certificates are in place: the postmaster's process id, or that there is none. */
const INSTALLED = /^installed (?:([0-9]+)|stopped)$/;

/** The certificates of instances, changed by a script that keeps the old ones until it is told that the new ones are good. */
export class ScriptCertificateStorage implements CertificateStorage {
  readonly #scripts: ScriptRunner;

  constructor(scripts: ScriptRunner) {
    this.#scripts = scripts;
  }

  async installCertificates(instanceId: number, chain: CertificateChain): Promise<InstalledCertificates> {
    const process = this.#scripts.start('draupnir-renew-instance', [instanceId]);
    for (const pem of [chain.server.key, chain.server.certificate, chain.ca.certificate]) {
      process.write(`${pem}\f`);
    }
    try {
      const pid = INSTALLED.exec(await expectLine(process, INSTALLED, this.#scripts.timeoutMs))?.[1];
      return {
        pid: pid === undefined ? undefined : Number(pid),
        keep: async ({ endSessions }) => {
          process.write(endSessions ? 'keep and end sessions\n' : 'keep\n');
          await expectLine(process, /^kept$/, this.#scripts.timeoutMs);
          await this.#leave(process);
        },
        undo: () => this.#leave(process),
      };
    } catch (error) {
      await this.#leave(process);
      throw error;
    }
  }

  /** Ends stdin and waits for the script: before it was told to keep what it has made, it brings back what was there. */
  async #leave(process: ScriptProcess): Promise<void> {
    process.end();
    await withDeadline(process.exited(), this.#scripts.timeoutMs, () => process.createTimeout());
  }
}
