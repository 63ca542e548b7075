import { type ChildProcess, execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { StubServer } from './stub-server.ts';
import { createTemporaryDirectory } from './temporary-directory.ts';

const ENTRY = inject('commandLine');

/** What a command left behind. */
export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A command that was started. */
export interface Running {
  child: ChildProcess;
  outcome: Promise<Outcome>;
}

/** The token of signed-in users. */
export const TOKEN = '1/the-refresh-token-of-a-user';

/** A user that is signed in at a server. */
export function createUser({ domain }: Pick<StubServer, 'domain'>, database = ''): TestUser {
  const user = new TestUser();
  const text = `Domain = "${domain}"\nDatabase = "${database}"\n[Token]\nRefreshToken = "${TOKEN}"\n`;
  writeFileSync(user.settingsFile, text, { mode: 0o600 });
  return user;
}

/** A user with a home of their own, which also takes temporary files, and nothing else in the environment. */
export class TestUser {
  readonly home = createTemporaryDirectory();
  readonly settingsFile = join(this.home, '.draupnir');
  readonly environment: Record<string, string> = {
    HOME: this.home,
    TMPDIR: this.home,
    PATH: process.env.PATH ?? '',
    NODE_COMPILE_CACHE: inject('compileCache'),
  };

  /** Runs `draupnir` and waits for its end. */
  async run(
    args: string[],
    options: { env?: Record<string, string>; stdin?: string } = {},
  ): Promise<Outcome> {
    const { child, outcome } = this.start(args, options);
    child.stdin?.end(options.stdin ?? '');
    return await outcome;
  }

  /** Starts `draupnir`; its stdin stays open. */
  start(args: string[], { env }: { env?: Record<string, string> } = {}): Running {
    return this.#execute(process.execPath, [ENTRY, ...args], env);
  }

  /** Runs a shell script in which `$draupnir` is the command. */
  async runShell(
    shell: string,
    script: string,
    options: { env?: Record<string, string> } = {},
  ): Promise<Outcome> {
    const { child, outcome } = this.#execute(shell, ['-c', script], this.#withCommand(options.env));
    child.stdin?.end();
    return await outcome;
  }

  /**
   * Starts a shell script as {@link runShell} does, on a terminal of its own (script(1)): what is written to stdin is typed
   * there, and stdout has all that it shows, with its line ends.
   */
  startOnTerminal(script: string): Running {
    const args = ['--quiet', '--return', '--flush', '--command', script, '/dev/null'];
    return this.#execute('script', args, this.#withCommand({ SHELL: '/bin/bash' }));
  }

  #withCommand(env: Record<string, string> = {}): Record<string, string> {
    return { ...env, draupnir: `${process.execPath} ${ENTRY}` };
  }

  #execute(file: string, args: string[], env?: Record<string, string>): Running {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const options = { env: { ...this.environment, ...env }, timeout: 20_000 };
    const child = execFile(file, args, options, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
    return { child, outcome: promise };
  }
}
