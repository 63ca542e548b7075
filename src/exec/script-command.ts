import { join } from 'node:path';

/** The scripts that run as root; each has a sudo rule of its own. */
export type Script =
  | 'draupnir-create-image'
  | 'draupnir-finalise-image'
  | 'draupnir-destroy-image'
  | 'draupnir-create-instance'
  | 'draupnir-read-credentials'
  | 'draupnir-renew-instance'
  | 'draupnir-start-instance'
  | 'draupnir-stop-instance'
  | 'draupnir-destroy-instance'
  | 'draupnir-apply-firewall'
  | 'draupnir-block-egress';

/** A command line that starts no shell. */
export interface Command {
  file: string;
  args: string[];
}

/** The command that runs a script as root. Arguments are numbers: no text of a caller ever reaches a command line. */
export function buildScriptCommand(scriptsPath: string, script: Script, args: readonly number[]): Command {
  for (const arg of args) {
    if (!Number.isSafeInteger(arg) || arg < 1) throw new RangeError(`no number for ${script}`);
  }
  return { file: 'sudo', args: ['-n', '--', join(scriptsPath, script), ...args.map(String)] };
}
