import { execa } from 'execa';

/** Longest time of one command of the set-up, in milliseconds. */
const TIMEOUT_MS = 10 * 60_000;

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface RunOptions {
  /** User to run as; root unless given. */
  user?: string;
  input?: string | Iterable<string>;
  env?: Record<string, string>;
}

/** Runs a program and resolves to its stdout. Throws with the last lines of its stderr. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const [file = '', ...args] = options.user === undefined ? argv : asUser(options.user, argv);
  const input = options.input;
  const result = await execa(file, args, {
    cwd: '/',
    reject: false,
    timeout: TIMEOUT_MS,
    extendEnv: false,
    env: { PATH, LC_ALL: 'C.UTF-8', ...options.env },
    ...(input === undefined ? { stdin: 'ignore' } : typeof input === 'string' ? { input } : { stdin: input }),
  });
  if (result.exitCode !== 0) {
    const reason = result.stderr.trim().split('\n').slice(-5).join('\n');
    throw new Error(`${argv.slice(0, 2).join(' ')} failed${reason === '' ? '' : `:\n${reason}`}`);
  }
  return result.stdout;
}

/**
 * Removes a file or a directory tree; one that is missing is fine. By rm(1), which goes from directory to directory by
 * their descriptors and follows no link: Node's `rm` goes by names, which the owner of a tree can exchange meanwhile.
 */
export async function removeTree(path: string): Promise<void> {
  await run(['rm', '-rf', '--one-file-system', '--', path]);
}

/** Whether a program succeeds; its output is of no interest. */
export async function succeeds(argv: readonly string[]): Promise<boolean> {
  return run(argv).then(
    () => true,
    () => false,
  );
}

/** The command line that runs a program under a uid and the group of the same number. */
export function asUid(uid: number, argv: readonly string[]): string[] {
  return ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--', ...argv];
}

/** The command line that runs a program as another user, with that user's groups. */
export function asUser(user: string, argv: readonly string[]): string[] {
  return ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--', ...argv];
}
