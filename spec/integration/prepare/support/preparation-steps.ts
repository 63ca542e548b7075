import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { inject } from 'vitest';
import type { VerificationQuery } from '../../../../src/core/verification-script.ts';

/** What `steps-program` reads. */
export type StepCommand = { anonymise: string } | { verify: readonly VerificationQuery[] };

const DEBIAN = '/usr/lib/postgresql';

/** No process of the host has it: all processes of this number are those of the script under test. */
const UID = 2_147_000_000 + process.pid;

/** Single steps of a preparation on a small database, as a user of its own, without a sandbox. As root. */
export class PreparationSteps {
  readonly #dir: string;
  readonly #program;
  readonly #answers: AsyncIterator<string, undefined>;

  private constructor(dir: string, bin: string, major: number) {
    this.#dir = dir;
    const programs = inject('preparationPrograms');
    const node = [join(programs, 'node'), join(programs, 'steps-program.cjs')];
    const args = [join(dir, 'work'), join(dir, 'scratch'), bin, String(major)];
    this.#program = execa('setpriv', [...asUser(), ...node, ...args], {
      cwd: '/',
      buffer: false,
      stderr: 'inherit',
    });
    this.#answers = createInterface({ input: this.#program.stdout })[Symbol.asyncIterator]();
  }

  /** `sql` fills database shop. */
  static async start(sql: string): Promise<PreparationSteps> {
    const major = Math.max(...(await readdir(DEBIAN)).filter((name) => /^\d+$/.test(name)).map(Number));
    const bin = join(DEBIAN, String(major), 'bin');
    const dir = await mkdtemp(join(tmpdir(), 'draupnir-steps-'));
    await chmod(dir, 0o755);
    for (const name of ['work', 'scratch']) await mkdir(join(dir, name), { mode: 0o700 });
    const work = join(dir, 'work');
    // initdb insists on a user with a name.
    await execa('chown', ['nobody:', work]);
    const options = ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--no-locale', '--no-sync'];
    await execa(
      'setpriv',
      [
        ...['--reuid=nobody', '--regid=nogroup', '--clear-groups', '--'],
        ...[join(bin, 'initdb'), `--pgdata=${work}`, ...options],
      ],
      { cwd: '/' },
    );
    await execa('chown', ['-R', `${UID}:${UID}`, dir]);
    const steps = new PreparationSteps(dir, bin, major);
    await steps.#answers.next();
    const reason = await steps.anonymise(`CREATE DATABASE shop;\n\\c shop\n${sql}`);
    if (reason !== undefined) throw new Error(reason);
    return steps;
  }

  /** Runs an anonymisation script; resolves to the reason why it fails, or undefined when it is good. */
  anonymise(script: string): Promise<string | undefined> {
    return this.#take({ anonymise: script });
  }

  /** Asks the queries; resolves to the reason why one fails, or undefined when they are good. */
  verify(queries: readonly VerificationQuery[]): Promise<string | undefined> {
    return this.#take({ verify: queries });
  }

  /** Removes all of it. */
  async stop(): Promise<void> {
    this.#program.stdin.end();
    await this.#program;
    await rm(this.#dir, { recursive: true });
  }

  async #take(command: StepCommand): Promise<string | undefined> {
    this.#program.stdin.write(`${JSON.stringify(command)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error('the program has ended');
    return (JSON.parse(value) as string | null) ?? undefined;
  }
}

function asUser(): string[] {
  return [`--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', '--'];
}
