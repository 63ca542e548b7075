import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { createTemporaryDirectory } from './temporary-directory.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const ENTRY = join(ROOT, 'src/cli.ts');
// Spares each start the stripping of types: half of its time.
const COMPILE_CACHE = join(ROOT, 'node_modules/.cache/draupnir-spec');

/** What a command left behind. */
export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A user with a home of their own, which also takes temporary files, and nothing else in the environment. */
export class TestUser {
  readonly home = createTemporaryDirectory();
  readonly settingsFile = join(this.home, '.draupnir');
  readonly environment: Record<string, string> = {
    HOME: this.home,
    TMPDIR: this.home,
    PATH: process.env.PATH ?? '',
    NODE_COMPILE_CACHE: COMPILE_CACHE,
  };

  /** Runs `draupnir` from source and waits for its end. */
  async run(
    args: string[],
    options: { env?: Record<string, string>; stdin?: string } = {},
  ): Promise<Outcome> {
    return await this.#execute(process.execPath, [ENTRY, ...args], options);
  }

  /** Runs a shell script in which `$draupnir` is the command. */
  async runShell(
    shell: string,
    script: string,
    options: { env?: Record<string, string> } = {},
  ): Promise<Outcome> {
    const env = { ...options.env, draupnir: `${process.execPath} ${ENTRY}` };
    return await this.#execute(shell, ['-c', script], { env });
  }

  async #execute(
    file: string,
    args: string[],
    { env, stdin }: { env?: Record<string, string>; stdin?: string },
  ): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const options = { env: { ...this.environment, ...env }, timeout: 20_000 };
    const child = execFile(file, args, options, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
    child.stdin?.end(stdin ?? '');
    return await promise;
  }
}
