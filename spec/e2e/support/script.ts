import { join } from 'node:path';
import { type Outcome, runCommand } from './command.ts';
import { getInstallation, SERVER_USER } from './installation.ts';

/** Calls a script through sudo, as the server does. */
export function callScript(name: string, args: readonly string[], input?: string): Promise<Outcome> {
  const argv = ['sudo', '-n', '--', join(getInstallation().scripts, name), ...args];
  return runCommand(argv, { user: SERVER_USER, ...(input !== undefined && { input }) });
}
