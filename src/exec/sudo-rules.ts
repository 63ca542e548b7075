import { execa } from 'execa';
import { buildScriptCommand, type Script, SCRIPTS } from './script-command.ts';

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
  const args = Array.from({ length: SCRIPTS[script] }, () => SAMPLE);
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
