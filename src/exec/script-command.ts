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
  'draupnir-adopt-data': 0,
  'draupnir-inspect': 0,
  'draupnir-list-installations': 0,
} as const;

export type Script = keyof typeof SCRIPTS;

/** Those that can be started in advance; with WAIT for an argument they take a line of arguments from stdin. */
export const STANDBY = ['draupnir-create-instance', 'draupnir-destroy-instance'] as const;
export type StandbyScript = (typeof STANDBY)[number];
export const WAIT = 'wait';

/** What a script is given. */
export type ScriptArguments = readonly number[] | typeof WAIT;

export function isStandby(script: Script): script is StandbyScript {
  return STANDBY.some((each) => each === script);
}

/** A command line that starts no shell. */
export interface Command {
  file: string;
  args: string[];
}

/** The command that runs a script as root. Arguments are numbers: no text of a caller ever reaches a command line. */
export function buildScriptCommand(scriptsPath: string, script: Script, args: ScriptArguments): Command {
  const words = args === WAIT ? [WAIT] : formatArguments(script, args);
  return { file: 'sudo', args: ['-n', '--', join(scriptsPath, script), ...words] };
}

/** The numbers as a script takes them. */
export function formatArguments(script: Script, args: readonly number[]): string[] {
  for (const arg of args) {
    if (!Number.isSafeInteger(arg) || arg < 1) throw new RangeError(`no number for ${script}`);
  }
  return args.map(String);
}
