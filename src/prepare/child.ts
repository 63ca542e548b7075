import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { ENVIRONMENT } from './environment.ts';

/** How a program has ended. */
export interface End {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A program whose files are given by descriptor, which execa does not do. */
export interface Child {
  readonly process: ChildProcess;
  /** Resolves when the program itself has ended, whatever still has its files open. Rejects when it cannot be started. */
  readonly ended: Promise<End>;
}

/** Starts a program with a clean environment and these files for stdin, stdout and stderr. */
export function startChild(file: string, args: readonly string[], stdio: StdioOptions, env = {}): Child {
  const process = spawn(file, args, { cwd: '/', env: { ...ENVIRONMENT, ...env }, stdio });
  const { promise: ended, resolve, reject } = Promise.withResolvers<End>();
  process.on('error', reject).on('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  // It may be looked at later.
  ended.catch(() => undefined);
  return { process, ended };
}
