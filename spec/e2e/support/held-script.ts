import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { PATH } from './command.ts';
import { getInstallation } from './installation.ts';
import { waitUntil } from './wait.ts';

/** A script that runs as root, without sudo, and whose stdin stays open until the test ends it. */
export class HeldScript {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #ended: Promise<number | NodeJS.Signals>;
  #stdout = '';

  /** `name` is that of a script of the installation, or the path of a copy. */
  constructor(name: string, args: readonly string[]) {
    this.#child = spawn(resolve(getInstallation().scripts, name), args, {
      cwd: '/',
      env: { PATH },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    // A script that has ended no longer reads.
    this.#child.stdin.on('error', () => undefined);
    this.#ended = once(this.#child, 'close').then(
      ([code, name]) => (code ?? name) as number | NodeJS.Signals,
    );
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What it has written to stdout so far. */
  get stdout(): string {
    return this.#stdout;
  }

  write(text: string): void {
    this.#child.stdin.write(text);
  }

  /** Resolves to the match as soon as stdout has one. Throws when the script ends before. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray> {
    return waitUntil(`the script prints ${pattern.source}`, () => {
      const found = pattern.exec(this.#stdout);
      const { exitCode, signalCode } = this.#child;
      if (!found && (exitCode !== null || signalCode !== null)) {
        throw new Error(`the script ended with ${exitCode ?? signalCode} after "${this.#stdout}"`);
      }
      return Promise.resolve(found ?? undefined);
    });
  }

  /** Sends a signal, leaves stdin open, and resolves to the exit code or the signal that ended it. */
  async end(name: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    this.#child.kill(name);
    const outcome = await this.#ended;
    this.#child.stdin.destroy();
    return outcome;
  }

  /** The exit code, or the signal that ended it. */
  exited(): Promise<number | NodeJS.Signals> {
    return this.#ended;
  }
}
