import { execa } from 'execa';

/** How a program ended. */
export interface Outcome {
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  /** User to run as; root unless given. */
  user?: string;
  /** Added to a minimal environment; nothing is inherited. */
  env?: Record<string, string>;
  input?: string;
}

export const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** No command of the tests takes longer, in milliseconds. */
const TIMEOUT_MS = 120_000;

/** A program that was started. */
export interface Running {
  pid: number;
  /** What it has written so far. */
  readonly stderr: string;
  outcome: Promise<Outcome>;
}

/** Runs a program to its end, whatever that is. */
export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<Outcome> {
  return readOutcome(await spawnCommand(argv, options));
}

/** Starts a program; what it writes can be looked at while it runs. */
export function startCommand(argv: readonly string[], options: CommandOptions = {}): Running {
  const child = spawnCommand(argv, options);
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return {
    pid: child.pid ?? 0,
    get stderr() {
      return stderr;
    },
    outcome: child.then(readOutcome),
  };
}

function spawnCommand(argv: readonly string[], options: CommandOptions) {
  const [file = '', ...args] = options.user === undefined ? argv : asUser(options.user, argv);
  return execa(file, args, {
    // The checkout may be closed to the other user.
    cwd: '/',
    reject: false,
    timeout: TIMEOUT_MS,
    extendEnv: false,
    env: { PATH, LC_ALL: 'C.UTF-8', ...options.env },
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    stripFinalNewline: false as const,
  });
}

function readOutcome({
  exitCode,
  stdout,
  stderr,
}: {
  exitCode?: number | undefined;
  stdout: string;
  stderr: string;
}): Outcome {
  return { exitCode, stdout, stderr };
}

/** Runs a program that has to succeed and resolves to its stdout. Throws with its stderr. */
export async function run(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await runCommand(argv, options);
  if (exitCode === 0) return stdout;
  throw new Error(`${argv.slice(0, 3).join(' ')} ended with ${exitCode ?? 'a signal'}:\n${stderr}`);
}

/**
 * Removes files and trees that other users can write; what is missing is fine. By rm(1), which follows no link that is put there
 * meanwhile, unlike Node's `rm`, which goes by names.
 */
export async function removeTrees(...paths: string[]): Promise<void> {
  await run(['rm', '-rf', '--one-file-system', '--', ...paths]);
}

/** The command line that runs a program as another user, with that user's groups; it stays one process. */
export function asUser(user: string, argv: readonly string[]): string[] {
  // By its path: the environment of the other user may have another PATH, or none.
  return ['/usr/bin/setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--', ...argv];
}
