import { join } from 'node:path';

/** The scripts that run as root, with how many numbers each takes; each has a sudo rule of its own. */
export const SCRIPTS = {
  'draupnir-create-image': 1,
  'draupnir-finalise-image': 1,
  'draupnir-destroy-image': 1,
  'draupnir-create-instance': 3,
  'draupnir-read-credentials': 1,
  'draupnir-renew-instance': 1,
  'draupnir-start-instance': 1,
  'draupnir-stop-instance': 1,
  'draupnir-destroy-instance': 1,
  'draupnir-apply-firewall': 0,
  'draupnir-block-egress': 0,
  'draupnir-tidy-image': 1,
  'draupnir-tidy-instance': 1,
  'draupnir-inspect': 0,
} as const;

export type Script = keyof typeof SCRIPTS;

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
