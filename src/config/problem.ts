/** One thing that is wrong, or suspicious, in a configuration file. */
export interface Problem {
  /** The file as the caller named it. */
  file: string;
  /** TOML path such as `http.listen_address`, or a position such as `line 3, column 7`; empty for the whole file. */
  path: string;
  /** What would be right. Lower case, no final stop. */
  message: string;
  /** What stands there instead, as TOML would write it. Absent for missing keys and for everything secret. */
  found?: string;
}

/** The line people see: `FILE: PATH: MESSAGE (found VALUE)`. */
export function formatProblem({ file, path, message, found }: Problem): string {
  const where = path === '' ? file : `${file}: ${path}`;
  return `${where}: ${message}${found === undefined ? '' : ` (found ${found})`}`;
}

/** As `formatProblem`, marked as something that does not stop the server. */
export function formatWarning(warning: Problem): string {
  return formatProblem({ ...warning, message: `warning: ${warning.message}` });
}

/** Thrown when a configuration file cannot be used; holds every problem at once. The command line exits with 78 (EX_CONFIG). */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly Problem[];
  /** Told along with the problems: the unknown key is often the misspelt missing one. */
  readonly warnings: readonly Problem[];

  constructor(problems: readonly Problem[], warnings: readonly Problem[] = [], options?: ErrorOptions) {
    super(problems.map(formatProblem).join('\n'), options);
    this.problems = problems;
    this.warnings = warnings;
  }

  /** All of it for people, a line each. */
  get lines(): string[] {
    return [...this.problems.map(formatProblem), ...this.warnings.map(formatWarning)];
  }
}
