import { Api } from '../spec/e2e/support/api.ts';
import { run } from '../spec/e2e/support/command.ts';
import { createInstallation } from '../spec/e2e/support/install.ts';
import { INSTANCE_PORTS, type Installation } from '../spec/e2e/support/installation.ts';
import { getMetadataCluster } from '../spec/e2e/support/metadata.ts';
import { type LogLine, Server } from '../spec/e2e/support/server.ts';
import { type ConfigChoices, writeServerConfig } from '../spec/e2e/support/server-config.ts';
import type { Namespace } from '../spec/e2e/support/namespace.ts';
import { removeInstallation } from '../spec/e2e/support/teardown.ts';
import { Backup } from './backup.ts';
import { Floor } from './floor.ts';
import type { Options } from './options.ts';
import { OtherBuild } from './other-build.ts';

/** Enough for the 150 instances of one part. The upper half of the slot's ports belongs to no test. */
export const PORTS = { min: INSTANCE_PORTS.min, max: INSTANCE_PORTS.min + 180 };
/** Floors listen above those. */
const FLOOR_PORTS = { min: PORTS.max, max: PORTS.max + 20 };

/** How many errors are shown when a run fails. */
const ERRORS = 5;

/** A server as people run it, with an image of 200 MB, and what is measured beside it. */
export class Workbench {
  readonly installation: Installation;
  readonly quick: boolean;
  readonly api: Api;
  readonly backup: Backup;
  #server: Server | undefined;
  #floor: Floor | undefined;
  #other: OtherBuild | undefined;
  #imageId = 0;
  #removed: Promise<void> | undefined;

  private constructor(installation: Installation, quick: boolean) {
    this.installation = installation;
    this.quick = quick;
    this.api = new Api(installation);
    this.backup = new Backup(installation, this.api);
  }

  /** Makes an installation; `onCreated` is told of it before it is complete, for whoever has to remove it. */
  static async create(
    { quick, beside }: Pick<Options, 'quick'> & Partial<Pick<Options, 'beside'>>,
    onCreated: (bench: Workbench) => void,
  ): Promise<Workbench> {
    const bench = new Workbench(await createInstallation(), quick);
    onCreated(bench);
    if (beside !== undefined) {
      bench.#other = new OtherBuild(beside);
      await bench.#other.ready;
    }
    await bench.start();
    await bench.backup.create(200);
    bench.#imageId = await bench.backup.finalise(200);
    bench.#floor = await Floor.create(bench.installation, bench.api, bench.#imageId, FLOOR_PORTS);
    return bench;
  }

  /** The ready image of 200 MB. */
  get imageId(): number {
    return this.#imageId;
  }

  get floor(): Floor {
    if (!this.#floor) throw new Error('the bench is not complete');
    return this.#floor;
  }

  /** Another build to compare with, if the run was asked for one. */
  get other(): OtherBuild | undefined {
    return this.#other;
  }

  get server(): Server {
    if (!this.#server) throw new Error('no server runs');
    return this.#server;
  }

  /** How many samples to take. */
  count(samples: number): number {
    return this.quick ? Math.min(samples, 3) : samples;
  }

  /** Starts the server anew, with another configuration or in a network of its own. */
  async start(choices: ConfigChoices = {}, namespace?: Namespace): Promise<void> {
    await this.#server?.stop();
    const config = await writeServerConfig(this.installation, 'bench.toml', { ports: PORTS, ...choices });
    this.#server = await Server.start(this.installation, config, namespace);
  }

  /** Has the volume write what was done before: whoever is measured next would have to. */
  async settle(): Promise<void> {
    await run(['btrfs', 'filesystem', 'sync', this.installation.data]);
  }

  /** Asks the metadata database. */
  sql(statement: string): Promise<string> {
    return getMetadataCluster(this.installation).query('draupnir', statement);
  }

  /** The last errors that the server has logged. */
  async readErrors(): Promise<LogLine[]> {
    const lines = (await this.#server?.readLog()) ?? [];
    return lines.filter(({ level }) => level === 'error').slice(-ERRORS);
  }

  /** Removes everything; whoever calls it again waits for the same. */
  remove(): Promise<void> {
    return (this.#removed ??= this.#remove());
  }

  async #remove(): Promise<void> {
    await Promise.all([this.#other?.remove(), removeInstallation(this.installation.dir)]);
  }
}
