import { execa } from 'execa';
import {
  buildScriptCommand,
  isStandby,
  type Script,
  type ScriptArguments,
  SCRIPTS,
  WAIT,
} from './script-command.ts';

/** A number that every argument of every script may be; nothing is run with it. */
const SAMPLE = 1024;

/** Longest time of one question, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** The scripts that sudo does not let this user run, or that are not there (sudo(8), -l with a command). */
export async function listScriptsWithoutRule(scriptsPath: string): Promise<Script[]> {
  const scripts = Object.keys(SCRIPTS) as Script[];
  const allowed = await Promise.all(scripts.map((script) => isAllowed(scriptsPath, script)));
  return scripts.filter((_, index) => !allowed[index]);
}

async function isAllowed(scriptsPath: string, script: Script): Promise<boolean> {
  const forms: ScriptArguments[] = [Array.from({ length: SCRIPTS[script] }, () => SAMPLE)];
  if (isStandby(script)) forms.push(WAIT);
  const allowed = await Promise.all(forms.map((args) => isFormAllowed(scriptsPath, script, args)));
  return allowed.every(Boolean);
}

async function isFormAllowed(scriptsPath: string, script: Script, args: ScriptArguments): Promise<boolean> {
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
