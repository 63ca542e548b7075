import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { chmod, chown, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Api, Instance } from '../spec/e2e/support/api.ts';
import { run } from '../spec/e2e/support/command.ts';
import { connect } from '../spec/e2e/support/instance-client.ts';
import { IMAGE_UID_BASE, type Installation } from '../spec/e2e/support/installation.ts';
import { Proof } from './proof.ts';

/** Postgres writes its state to the eighth line of postmaster.pid; it is looked at as often as a timer can. */
const STATE_LINE = 7;
const POLL_MS = 1;

/** A Postgres on a snapshot that was made with nothing but what cannot be left out. */
export interface FloorInstance {
  data: string;
  port: number;
  process: ChildProcess;
}

/** One that is proven like an instance. */
export interface ProvenFloorInstance extends FloorInstance {
  /** Directory of its server certificate and key. */
  certificates: string;
  /** Milliseconds by part, with the names that the server uses in its log. */
  parts: { start: number; prove: number };
}

/**
 * The least that an instance can take: a btrfs snapshot, `postgres` started directly with the settings an instance of ours has,
 * one connection over mutual TLS with `SELECT 1`. It runs as the owner of the image's files, so that nothing has to be handed
 * over, and its certificates exist already.
 */
export class Floor {
  readonly uid: number;
  readonly conf: string;
  readonly #installation: Installation;
  readonly #image: string;
  /** Whose configuration it has. */
  readonly #instance: Instance;
  readonly #proof: Proof;
  readonly #ports: number[];
  readonly #log: number;
  #count = 0;

  private constructor(installation: Installation, imageId: number, instance: Instance, ports: number[]) {
    this.#installation = installation;
    this.#image = join(installation.data, 'image_snapshots', String(imageId));
    this.uid = IMAGE_UID_BASE + imageId;
    this.conf = join(installation.data, 'bench-floor');
    this.#instance = instance;
    this.#proof = new Proof(instance.id);
    this.#ports = ports;
    this.#log = openSync(join(installation.logs, 'floor.log'), 'a');
  }

  /** Copies configuration and certificates of an instance that our server makes of the image. */
  static async create(
    installation: Installation,
    api: Api,
    imageId: number,
    ports: { min: number; max: number },
  ): Promise<Floor> {
    const instance = await api.createInstance(imageId);
    const all = Array.from({ length: ports.max - ports.min }, (_, i) => ports.min + i);
    const floor = new Floor(installation, imageId, instance, all);
    await floor.#copyConfiguration(join(installation.data, 'instance_config', String(instance.id)));
    await api.destroyInstance(instance.id);
    await mkdir(join(installation.data, 'bench'), { mode: 0o755 });
    return floor;
  }

  get postgres(): string {
    return join(this.#installation.postgres, String(this.#installation.debianMajor), 'bin');
  }

  /** A place on the volume for a snapshot, that nothing else has. */
  createPath(): string {
    return join(this.#installation.data, 'bench', String(++this.#count));
  }

  takePort(): number {
    const port = this.#ports.shift();
    if (port === undefined) throw new Error('no port is left for floors');
    return port;
  }

  returnPort(port: number): void {
    this.#ports.push(port);
  }

  /** A writable snapshot of the image. */
  async snapshot(): Promise<string> {
    const data = this.createPath();
    await run(['btrfs', '-q', 'subvolume', 'snapshot', this.#image, data]);
    return data;
  }

  async start(): Promise<FloorInstance> {
    const started = await this.#startPostgres(this.takePort(), await this.snapshot());
    await this.ask(started.port);
    return started;
  }

  /**
   * The floor with the proof: the server's own proof takes the place of the one connection. Proven credentials belong to one
   * instance, so generating three keys and certificates and writing the server's files is part of it. The rest of a creation is not:
   * HTTP, records, sealing, sudo, sandbox, control group and firewall.
   */
  async startProven(): Promise<ProvenFloorInstance> {
    const started = performance.now();
    const port = this.takePort();
    const issuing = this.#proof.issue();
    const [data, certificates] = await Promise.all([
      this.snapshot(),
      issuing.then((chain) => this.#writeCertificates(chain)),
    ]);
    const starting = this.#startPostgres(port, data, certificates);
    const proving = this.#proof.prove(port, await issuing, starting);
    // Awaited below; a failed start fails the proof as well.
    proving.catch(() => undefined);
    const instance = await starting;
    const ready = performance.now();
    await proving;
    const parts = { start: ready - started, prove: performance.now() - ready };
    return { ...instance, certificates, parts };
  }

  async #startPostgres(port: number, data: string, certificates = this.conf): Promise<FloorInstance> {
    const drop = [`--reuid=${this.uid}`, `--regid=${this.uid}`, '--clear-groups', '--'];
    const settings = [
      `config_file=${join(this.conf, 'postgresql.conf')}`,
      `port=${port}`,
      `ssl_cert_file=${join(certificates, 'server.crt')}`,
      `ssl_key_file=${join(certificates, 'server.key')}`,
      `ssl_ca_file=${join(certificates, 'ca.crt')}`,
    ];
    const argv = [join(this.postgres, 'postgres'), '-D', data, ...settings.flatMap((each) => ['-c', each])];
    const stdio = ['ignore', this.#log, this.#log] as const;
    const process = spawn('setpriv', [...drop, ...argv], { cwd: '/', stdio: [...stdio], detached: true });
    await this.#waitUntilReady(data, process);
    return { data, port, process };
  }

  /** Writes the files that Postgres reads to a directory of their own. */
  async #writeCertificates({ ca, server }: Awaited<ReturnType<Proof['issue']>>): Promise<string> {
    const dir = join(this.conf, `certificates-${++this.#count}`);
    await mkdir(dir, { mode: 0o755 });
    await Promise.all([
      writeFile(join(dir, 'ca.crt'), ca.certificate),
      writeFile(join(dir, 'server.crt'), server.certificate),
      this.#writeKey(join(dir, 'server.key'), server.key),
    ]);
    return dir;
  }

  /** Postgres requires that it owns its key, or that root does. */
  async #writeKey(file: string, key: string): Promise<void> {
    await writeFile(file, key, { mode: 0o600 });
    await chown(file, this.uid, this.uid);
  }

  /** One connection over mutual TLS with `SELECT 1`. */
  async ask(port: number): Promise<void> {
    const client = await connect({ port, credentials: this.#instance.credentials }, { database: 'postgres' });
    await client.query('SELECT 1');
    await client.end();
  }

  /** Not part of what is measured as its destruction. */
  async destroyProven(instance: ProvenFloorInstance): Promise<void> {
    await this.destroy(instance);
    await rm(instance.certificates, { recursive: true });
  }

  /** A fast stop, then the subvolume is deleted. */
  async destroy({ data, port, process }: FloorInstance): Promise<void> {
    const ended = once(process, 'exit');
    process.kill('SIGINT');
    await ended;
    await this.deleteSnapshot(data);
    this.returnPort(port);
  }

  async deleteSnapshot(data: string): Promise<void> {
    await run(['btrfs', '-q', 'subvolume', 'delete', data]);
  }

  async #waitUntilReady(data: string, process: ChildProcess): Promise<void> {
    for (;;) {
      if (readState(join(data, 'postmaster.pid')) === 'ready') return;
      if (process.exitCode !== null)
        throw new Error(`the floor's Postgres ended with ${process.exitCode}:\n${this.#readLog()}`);
      await delay(POLL_MS);
    }
  }

  #readLog(): string {
    return readFileSync(join(this.#installation.logs, 'floor.log'), 'utf8');
  }

  async #copyConfiguration(source: string): Promise<void> {
    await cp(source, this.conf, { recursive: true });
    const file = join(this.conf, 'postgresql.conf');
    const text = await readFile(file, 'utf8');
    const moved = text.replaceAll(source, this.conf).replace(/^unix_socket_directories = .*$/m, '');
    await writeFile(file, `${moved}unix_socket_directories = ''\n`);
    for (const name of ['', ...(await readdir(this.conf))]) {
      await chown(join(this.conf, name), this.uid, this.uid);
    }
    // What the owner of a key may have in the way of permissions is less than what its group may (PostgreSQL manual, 19.9.1).
    await chmod(join(this.conf, 'server.key'), 0o600);
  }
}

function readState(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').split('\n')[STATE_LINE]?.trim();
  } catch {
    return undefined;
  }
}
