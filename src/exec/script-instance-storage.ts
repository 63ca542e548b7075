import type {
  CertificateChain,
  ClientCredentials,
  Instance,
  InstanceStorage,
  StartedInstance,
} from '../core/instance.ts';
import { DomainError } from '../core/errors.ts';
import { withDeadline } from './deadline.ts';
import { expectLine } from './script-dialogue.ts';
import { createFullError, EX_IOERR, EX_NOINPUT, ScriptError, throwOccupied } from './script-error.ts';
import type { ScriptProcess } from './script-process.ts';
import type { ScriptRunner } from './script-runner.ts';

/** What a script says once Postgres is starting, takes connections, or when it runs already: the postmaster's process id. */
const STARTED = /^(?:started|ready) ([0-9]+)$/;
const STARTED_OR_RUNNING = /^(started|ready|running) ([0-9]+)$/;
/** Why a start has failed, in Postgres's own words. */
const FAILURE = /^failure (.*)$/;

/** Instances on btrfs with a Postgres process each, by the scripts. */
export class ScriptInstanceStorage implements InstanceStorage {
  readonly #scripts: ScriptRunner;

  constructor(scripts: ScriptRunner) {
    this.#scripts = scripts;
  }

  /** The script stays at the other end of the pipe until the instance is open; if we vanish, it removes all it made. */
  async createInstance(
    instance: Pick<Instance, 'id' | 'imageId' | 'port'>,
    chain: Promise<CertificateChain>,
  ): Promise<StartedInstance> {
    const args = [instance.id, instance.imageId, instance.port];
    const process = this.#scripts.start('draupnir-create-instance', args);
    try {
      const { server, ca } = await chain;
      for (const pem of [server.key, server.certificate, ca.certificate]) process.write(`${pem}\f`);
      return this.#describeStart(process, await expectLine(process, STARTED, this.#scripts.timeoutMs));
    } catch (error) {
      await this.#abandon(process);
      if (error instanceof ScriptError && error.exitCode === EX_NOINPUT) {
        throw new DomainError('image_not_ready', 'the snapshot of the image is gone', { cause: error });
      }
      return throwOccupied(error);
    }
  }

  async startInstance(id: number): Promise<StartedInstance | { pid: number }> {
    const process = this.#scripts.start('draupnir-start-instance', [id]);
    try {
      const line = await expectLine(process, STARTED_OR_RUNNING, this.#scripts.timeoutMs);
      const started = this.#describeStart(process, line);
      if (!line.startsWith('running')) return started;
      process.end();
      return { pid: started.pid };
    } catch (error) {
      const reason = await this.#abandon(process);
      throw reason === undefined ? error : new DomainError('instance_failed', reason, { cause: error });
    }
  }

  async readAdoptedCredentials(id: number): Promise<ClientCredentials> {
    const lines = await this.#scripts.run('draupnir-read-credentials', [id]);
    const [ca = '', certificate = '', key = ''] = lines.join('\n').split('\f');
    if (![ca, certificate, key].every((text) => text.includes('-----BEGIN '))) {
      throw new Error(`the credentials of instance ${id} cannot be read`);
    }
    return { ca: { certificate: ca }, client: { certificate, key } };
  }

  async destroyInstance(id: number): Promise<void> {
    await this.#scripts.run('draupnir-destroy-instance', [id]);
  }

  #describeStart(process: ScriptProcess, line: string): StartedInstance {
    const [, state, pid] = STARTED_OR_RUNNING.exec(line) ?? [];
    return {
      pid: Number(pid),
      ready: state === 'ready',
      open: async () => {
        process.write('open\n');
        await expectLine(process, /^opened$/, this.#scripts.timeoutMs);
        process.end();
      },
      abandon: () => this.#abandon(process),
    };
  }

  /**
   * Ends the exchange; resolves once the script has undone what it did, to the reason it gives. Throws `insufficient_disk` when
   * that was want of space.
   */
  async #abandon(process: ScriptProcess): Promise<string | undefined> {
    process.end();
    const rest = async (): Promise<string | undefined> => {
      let reason: string | undefined = FAILURE.exec(process.lastLine)?.[1];
      for (let line = await process.readLine(); line !== undefined; line = await process.readLine()) {
        reason = FAILURE.exec(line)?.[1] ?? reason;
      }
      if ((await process.exited()) === EX_IOERR) throw createFullError();
      return reason;
    };
    return withDeadline(rest(), this.#scripts.timeoutMs, () => process.createTimeout());
  }
}
