import { appendFile, chmod, copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../support/command.ts';
import { getInstallation } from '../../support/installation.ts';
import { waitUntil } from '../../support/wait.ts';

const ROOT = join(import.meta.dirname, '../../../..');

/**
 * - `kill`: the process that reaches the point is killed, the server or the script
 * - `kill-server`: the server is killed when a script reaches the point
 * - `fail`: the command, or the call, fails
 * - `hang`: it does not come to an end
 */
export type FaultAction = 'kill' | 'kill-server' | 'fail' | 'hang';

/**
 * A point of the server, such as `instances.store.insert:after`; of the worker of a preparation, such as
 * `prepare.steps.scrub:before`; or of a script: file and line.
 */
export interface Failpoint {
  name: string;
  of: 'server' | 'worker' | 'script';
}

/** Seconds that a script waits for the one that holds its lock; in the tests nobody wants to wait. */
const LOCK_WAIT = 1;

/** Longer than a preparation, in milliseconds. */
const GIVEN_UP_MS = 120_000;

/** An installation whose server and scripts have failpoints, as long as the tests of a file run. */
export class Failpoints {
  /** The server that has them. */
  readonly program: string;
  readonly #control: string;
  readonly #changed: readonly string[];

  private constructor(dir: string, changed: readonly string[]) {
    this.program = join(dir, 'program/draupnir');
    this.#control = join(dir, 'control');
    this.#changed = changed;
  }

  /** Builds the server and changes the installation's scripts; `remove` undoes that. */
  static async install(): Promise<Failpoints> {
    const { scratch, scripts } = getInstallation();
    const dir = join(scratch, 'failpoints');
    const [common, hostConf] = [join(scripts, 'lib/common.sh'), join(scripts, 'host.conf')];
    const finalise = join(scripts, 'draupnir-finalise-image');
    const failpoints = new Failpoints(dir, [common, hostConf, finalise]);
    await mkdir(failpoints.#control, { recursive: true });
    // The server and the scripts, which have different users, take away what they have done.
    await chmod(failpoints.#control, 0o777);
    await run([
      ...[process.execPath, join(ROOT, 'build.ts'), '--failpoints'],
      ...[failpoints.#control, '--out', join(dir, 'program')],
    ]);
    for (const file of failpoints.#changed) await copyFile(file, `${file}.release`);
    const points = await readFile(join(import.meta.dirname, 'script-failpoints.sh'), 'utf8');
    await appendFile(common, `\nreadonly FAILPOINTS=${failpoints.#control}\n${points}`);
    await appendFile(hostConf, `LOCK_WAIT=${LOCK_WAIT}\nPROGRAM=${failpoints.program}\n`);
    // The worker finds out in its sandbox what is to happen.
    const mounts = `"rw:${failpoints.#control}" "rw:\${work}"`;
    await writeFile(finalise, (await readFile(finalise, 'utf8')).replace('"rw:${work}"', mounts));
    return failpoints;
  }

  async remove(): Promise<void> {
    for (const file of this.#changed) {
      await copyFile(`${file}.release`, file);
      await rm(`${file}.release`);
    }
  }

  /** The points that are reached while the work is done, in their order, each once. */
  async trace(work: () => Promise<unknown>): Promise<Failpoint[]> {
    const [wanted, file] = [join(this.#control, 'tracing'), join(this.#control, 'trace')];
    // It stays: a process that has looked before the end writes after it, and must not make a file that others cannot write to.
    await writeFile(file, '');
    await chmod(file, 0o666);
    await writeFile(wanted, '');
    await work();
    await rm(wanted);
    const names = new Set((await readFile(file, 'utf8')).split('\n').filter(Boolean));
    return [...names].map((name) => ({ name, of: findOwner(name) }));
  }

  /** The next to reach the point does that, once. */
  async arm(point: Failpoint, action: FaultAction, serverPid: number): Promise<void> {
    await writeFile(join(this.#control, 'server.pid'), String(serverPid));
    await writeFile(join(this.#control, 'hanging'), '');
    await writeFile(join(this.#control, 'armed'), `${point.name} ${action}\n`);
    // The user of a worker cannot signal the server.
    if (point.of === 'worker' && action === 'kill-server') void this.#killWhenReached(serverPid);
  }

  async #killWhenReached(serverPid: number): Promise<void> {
    const [armed, reached] = [join(this.#control, 'armed'), join(this.#control, 'reached')];
    await rm(reached, { force: true });
    await waitUntil(
      'the point is reached or given up',
      () => Promise.resolve(existsSync(reached) || !existsSync(armed)),
      GIVEN_UP_MS,
    );
    if (existsSync(reached)) process.kill(serverPid, 'SIGKILL');
  }

  /** Lets a script that hangs go on, long after everybody has given it up. */
  async release(): Promise<void> {
    await rm(join(this.#control, 'hanging'), { force: true });
  }

  /** Resolves to whether the point had been reached. */
  async disarm(): Promise<boolean> {
    const taken = await rename(join(this.#control, 'armed'), join(this.#control, 'disarmed')).then(
      () => true,
      () => false,
    );
    return !taken;
  }
}

function findOwner(name: string): Failpoint['of'] {
  if (name.startsWith('prepare.')) return 'worker';
  return /:(?:before|after)$/.test(name) ? 'server' : 'script';
}
