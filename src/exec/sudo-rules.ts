import { execa } from 'execa';
import {
  buildScriptCommand,
  type Script,
  type ScriptArguments,
  SCRIPTS,
  STANDBY,
  WAIT,
} from './script-command.ts';

/** A number that every argument of every script may be; nothing is run with it. */
const SAMPLE = 1024;

/** Longest time of one question, in milliseconds. */
const TIMEOUT_MS = 10_000;

/**
 * The scripts that sudo does not let this user run, or that are not there (sudo(8), -l with a command), with their argument where it is
 * to wait for others.
 */
export async function listScriptsWithoutRule(scriptsPath: string): Promise<string[]> {
  const scripts = Object.keys(SCRIPTS) as Script[];
  const forms: { name: string; script: Script; args: ScriptArguments }[] = [
    ...scripts.map((script) => ({
      name: script,
      script,
      args: Array.from({ length: SCRIPTS[script] }, () => SAMPLE),
    })),
    ...STANDBY.map((script) => ({ name: `${script} ${WAIT}`, script, args: WAIT }) as const),
  ];
  const allowed = await Promise.all(forms.map(({ script, args }) => isAllowed(scriptsPath, script, args)));
  return forms.filter((_, index) => !allowed[index]).map(({ name }) => name);
}

async function isAllowed(scriptsPath: string, script: Script, args: ScriptArguments): Promise<boolean> {
  const command = buildScriptCommand(scriptsPath, script, args);
  const { exitCode } = await execa(command.file, ['-l', ...command.args], {
    reject: false,
    cwd: '/',
    timeout: TIMEOUT_MS,
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'ignore',
  });
  return exitCode === 0;
}
