import { createInterface } from 'node:readline';
import { execa } from 'execa';
import type { Command } from './script-command.ts';
import { ScriptError } from './script-error.ts';

/** How much of the end of stderr is kept, in characters. */
const STDERR_LIMIT = 4096;

/**
 * A running script with which lines are exchanged. sudo runs as root and cannot be signalled by us, so a script that must
 * stop early is told by the end of its stdin.
 */
export class ScriptProcess {
  readonly name: string;
  readonly #child;
  readonly #lines: AsyncIterator<string, undefined>;
  readonly #ended: Promise<number | undefined>;
  #stderr = '';
  #lastLine = '';

  constructor(name: string, command: Command) {
    this.name = name;
    this.#child = execa(command.file, command.args, {
      reject: false,
      buffer: false,
      cwd: '/',
      extendEnv: false,
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    // A script that has ended no longer reads; its exit code tells why.
    this.#child.stdin.on('error', () => undefined);
    this.#child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.#stderr = (this.#stderr + chunk).slice(-STDERR_LIMIT);
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#ended = this.#child.then((result) => result.exitCode);
  }

  /** Sends text; the script reads it when it is ready to. */
  write(text: string): void {
    this.#child.stdin.write(text);
  }

  /** Ends stdin. */
  end(): void {
    this.#child.stdin.end();
  }

  /** The next line of stdout, or undefined at its end. */
  async readLine(): Promise<string | undefined> {
    const line = await this.#lines.next();
    if (line.done) return undefined;
    this.#lastLine = line.value;
    return line.value;
  }

  /** The line that was read last, `''` before the first. */
  get lastLine(): string {
    return this.#lastLine;
  }

  /** Resolves to the exit code once the process is gone. */
  exited(): Promise<number | undefined> {
    return this.#ended;
  }

  /** The error for a script that does not go on. */
  createTimeout(): ScriptError {
    return new ScriptError(this.name, undefined, `took too long; its last words: ${this.#stderr.trim()}`);
  }

  /** What a script that has succeeded wants the operator to know, or an empty text. Call it after `exited`. */
  get notice(): string {
    return this.#stderr.trim();
  }

  /** The error for an end that is not a success. Call it after `exited`. */
  async failure(): Promise<ScriptError> {
    return new ScriptError(this.name, await this.#ended, this.#stderr.trim());
  }
}
