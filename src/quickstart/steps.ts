import pc from 'picocolors';

/** Tells on stderr what is done and how long it took; stdout is for data. */
export class Steps {
  readonly #started = performance.now();

  /** Runs one step and prints it with its time; `detail` may say more of what came of it. */
  async run<T>(name: string, work: () => Promise<T>, detail?: (outcome: T) => string): Promise<T> {
    const started = performance.now();
    try {
      const outcome = await work();
      const more = detail === undefined ? '' : pc.dim(` ${detail(outcome)}`);
      print(`${pc.green('✓')} ${name} ${pc.dim(formatSeconds(performance.now() - started))}${more}`);
      return outcome;
    } catch (error) {
      print(`${pc.red('✗')} ${name}`);
      throw error;
    }
  }

  /** Time since the first step, such as `12.3 s`. */
  get total(): string {
    return formatSeconds(performance.now() - this.#started);
  }
}

/** One line for people. */
export function print(line = ''): void {
  process.stderr.write(`${line}\n`);
}

function formatSeconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
