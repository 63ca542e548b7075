import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { asUser, PATH } from './command.ts';
import { type Installation, SERVER_USER } from './installation.ts';
import { waitUntil } from './wait.ts';

/** A line of the server's log. */
export interface LogLine {
  level: string;
  msg: string;
  [field: string]: unknown;
}

let count = 0;

/** Where a server runs that does not run on the host itself. */
export interface Confinement {
  /** The command line that runs a program within. */
  inside(argv: readonly string[], user?: string): string[];
  /** What comes of a TCP connection from within: `connected`, or the code of the error. */
  connect(host: string, port: number): Promise<unknown>;
}

/** The server as a process of its unprivileged user. */
export class Server {
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | NodeJS.Signals>;
  readonly #logFile: string;

  private constructor(child: ChildProcess, logFile: string) {
    this.#process = child;
    this.#logFile = logFile;
    this.#ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  }

  /**
   * Starts the built program, in a confinement if one is given, and waits until it answers. Throws with its log when it ends
   * before.
   */
  static start(installation: Installation, configFile: string, namespace?: Confinement): Promise<Server> {
    const argv = [installation.program, 'server', '--config', configFile];
    const command = namespace?.inside(argv, SERVER_USER) ?? asUser(SERVER_USER, argv);
    return Server.#start(installation, command, namespace);
  }

  /** The same as an operator may do it by hand: as root. */
  static startAsRoot(installation: Installation, configFile: string): Promise<Server> {
    return Server.#start(installation, [installation.program, 'server', '--config', configFile]);
  }

  static async #start(
    installation: Installation,
    [file = '', ...args]: readonly string[],
    namespace?: Confinement,
  ): Promise<Server> {
    const logFile = join(installation.logs, `server-${process.pid}-${count++}.log`);
    const log = await open(logFile, 'a', 0o600);
    const child = spawn(file, args, {
      cwd: '/',
      env: { PATH },
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    await log.close();
    const server = new Server(child, logFile);
    await waitUntil('the server answers', async () => {
      if (child.exitCode !== null) {
        throw new Error(`the server ended with ${child.exitCode}:\n${await readFile(logFile, 'utf8')}`);
      }
      const { httpPort } = installation;
      return namespace
        ? (await namespace.connect('127.0.0.1', httpPort)) === 'connected'
        : isHealthy(httpPort);
    });
    return server;
  }

  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error('the server was not started');
    return pid;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Asks it to stop; resolves to the exit code, or the signal that ended it. */
  stop(): Promise<number | NodeJS.Signals> {
    this.#process.kill('SIGTERM');
    return this.#ended;
  }

  /** Ends it without giving it a chance. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  /**
   * What it has logged so far. It writes its log beside its work: while it runs, what it has just answered may be missing, and
   * `waitForLines` is the way to it. Throws when a line is not JSON.
   */
  async readLog(): Promise<LogLine[]> {
    const text = await readFile(this.#logFile, 'utf8');
    return text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** The lines it logs that `matches` takes, as soon as there are `count`; all there are then. */
  waitForLines(matches: (line: LogLine) => boolean, count = 1): Promise<LogLine[]> {
    return waitUntil(`the server logs ${count} of ${matches.toString()}`, async () => {
      const found = (await this.readLog()).filter(matches);
      return found.length >= count && found;
    });
  }
}

function isHealthy(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/health_check', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
  });
}
