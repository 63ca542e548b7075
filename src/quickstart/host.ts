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

/** Whether a program succeeds; its output is of no interest. */
export async function succeeds(argv: readonly string[]): Promise<boolean> {
  return run(argv).then(
    () => true,
    () => false,
  );
}

/** The command line that runs a program as another user, with that user's groups. */
export function asUser(user: string, argv: readonly string[]): string[] {
  return ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--', ...argv];
}
