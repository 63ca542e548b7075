import { formatProblem, formatWarning, type Problem } from '../../config/problem.ts';

/** What one check came to: a line for people. Problems alone make the exit code 78. */
export interface Outcome {
  readonly level: 'problem' | 'warning' | 'ok' | 'skipped';
  /** Where it is set; the configuration file unless given. */
  readonly file?: string;
  /** TOML path, or name of a setting or part. */
  readonly path: string;
  /** What is wrong, and after a colon or semicolon what to do; or what was found. */
  readonly message: string;
  readonly found?: string;
}

/** The outcome of a problem, or warning, that reading the configuration has found. */
export function fromProblem(level: 'problem' | 'warning', problem: Problem): Outcome {
  return { level, ...problem };
}

/** The line of an outcome: `FILE: PATH: MESSAGE`, where all but problems name their level before the message. */
export function formatOutcome({ level, ...outcome }: Outcome, configFile: string): string {
  const problem = { file: configFile, ...outcome };
  if (level === 'problem') return formatProblem(problem);
  if (level === 'warning') return formatWarning(problem);
  return formatProblem({ ...problem, message: `${level}: ${problem.message}` });
}
