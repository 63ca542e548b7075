import type {
  CertificateChain,
  ClientCredentials,
  Instance,
  InstanceStorage,
  StartedInstance,
} from '../core/instance.ts';
import { withDeadline } from './deadline.ts';
import { ScriptError, throwOccupied } from './script-error.ts';
import type { ScriptProcess } from './script-process.ts';
import type { ScriptRunner } from './script-runner.ts';

/** Longest time for snapshot, configuration and launch, and for opening, in milliseconds. */
const STEP_TIMEOUT_MS = 60_000;

/** What a script says once Postgres is starting: the postmaster's process id. */
const STARTED = /^started ([0-9]+)$/;

/** Instances on btrfs with a Postgres process each, by the scripts. */
export class ScriptInstanceStorage implements InstanceStorage {
  readonly #scripts: ScriptRunner;

  constructor(scripts: ScriptRunner) {
    this.#scripts = scripts;
  }

  /** The script stays at the other end of the pipe until the instance is open; if we vanish, it removes all it made. */
  async createInstance(
    instance: Pick<Instance, 'id' | 'imageId' | 'port'>,
    chain: CertificateChain,
  ): Promise<StartedInstance> {
    const args = [instance.id, instance.imageId, instance.port];
    const process = this.#scripts.start('draupnir-create-instance', args);
    for (const pem of [chain.server.key, chain.server.certificate, chain.ca.certificate]) {
      process.write(`${pem}\f`);
    }
    try {
      const pid = getStartedPid(await expectLine(process, STARTED));
      return {
        pid,
        open: async () => {
          process.write('open\n');
          await expectLine(process, /^opened$/);
          process.end();
        },
        abandon: () => abandon(process),
      };
    } catch (error) {
      await abandon(process);
      return throwOccupied(error);
    }
  }

  async startInstance(id: number): Promise<number> {
    const [line = ''] = await this.#scripts.run('draupnir-start-instance', [id]);
    if (!STARTED.test(line)) throw new ScriptError('draupnir-start-instance', 0, `answered: ${line}`);
    return getStartedPid(line);
  }

  async readAdoptedCredentials(id: number): Promise<ClientCredentials> {
    const lines = await this.#scripts.run('draupnir-read-credentials', [id]);
    const [ca, certificate, key] = lines.join('\n').split('\f');
    if (ca === undefined || certificate === undefined || key === undefined) {
      throw new Error(`the credentials of instance ${id} cannot be read`);
    }
    return { ca: { certificate: ca }, client: { certificate, key } };
  }

  async destroyInstance(id: number): Promise<void> {
    await this.#scripts.run('draupnir-destroy-instance', [id]);
  }
}

async function abandon(process: ScriptProcess): Promise<void> {
  process.end();
  await process.exited();
}

async function expectLine(process: ScriptProcess, expected: RegExp): Promise<string> {
  const line = await withDeadline(
    process.readLine(),
    STEP_TIMEOUT_MS,
    () => new ScriptError('draupnir-create-instance', undefined, 'took too long'),
  );
  if (line !== undefined && expected.test(line)) return line;
  process.end();
  throw await process.failure();
}

function getStartedPid(line: string): number {
  return Number(STARTED.exec(line)?.[1]);
}
