import { join } from 'node:path';
import { type Outcome, runCommand } from './command.ts';
import { getInstallation, SERVER_USER } from './installation.ts';

/** Something `draupnir doctor` has found. */
export interface Finding {
  invariant: string;
  object: string;
  message: string;
  hint: string;
  fixed: boolean;
  done?: string;
}

/** The document of `draupnir doctor --json`. */
export interface Diagnosis {
  ok: boolean;
  checked: Record<string, number>;
  findings: Finding[];
  duration_ms: number;
}

/** Runs `draupnir doctor`, as root unless told otherwise. */
export function runDoctor(
  args: readonly string[] = [],
  options: { as?: 'server'; config?: string } = {},
): Promise<Outcome> {
  const { program, dir } = getInstallation();
  const config = join(dir, options.config ?? 'config.toml');
  const user = options.as === 'server' ? { user: SERVER_USER } : {};
  return runCommand([program, 'doctor', '--config', config, ...args], user);
}

/** What it finds. Throws when it cannot look, or when its exit code says something else. */
export async function diagnose(...args: string[]): Promise<Diagnosis> {
  const { exitCode, stdout, stderr } = await runDoctor(['--json', ...args]);
  if (stderr !== '') throw new Error(`doctor complains: ${stderr}`);
  const diagnosis = JSON.parse(stdout) as Diagnosis;
  if (exitCode !== (diagnosis.ok ? 0 : 1)) throw new Error(`doctor ended with ${exitCode}: ${stdout}`);
  return diagnosis;
}

/** A line for each finding, as people see it. */
export function summarise({ findings }: Pick<Diagnosis, 'findings'>): string[] {
  return findings.map(({ invariant, object, message }) => `${invariant} ${object}: ${message}`);
}
