import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { getApiCertificate } from './certificate.ts';
import { type CommandOptions, type Outcome, run, runCommand, type Running, startCommand } from './command.ts';
import { getInstallation, SECRET, DEVELOPER, UPLOAD_USER } from './installation.ts';

/** A person with a settings file and a directory for temporary files, who runs the built executable. */
export class Cli {
  readonly dir: string;
  readonly settings: string;
  readonly #env: Record<string, string>;

  private constructor(dir: string, env: Record<string, string>) {
    this.dir = dir;
    this.settings = join(dir, 'settings');
    this.#env = { ...env, HOME: dir, TMPDIR: dir, DRAUPNIR_SETTINGS: this.settings };
  }

  /** One whose settings name the server and hold a token; `nobody` holds none. */
  static async create(as: 'developer' | 'upload' | 'nobody'): Promise<Cli> {
    const installation = getInstallation();
    const cli = await Cli.createWithoutSettings();
    const token = { developer: DEVELOPER, upload: SECRET, nobody: '' }[as];
    const domain = `localhost:${installation.httpsPort}`;
    await cli.writeFile(
      'settings',
      `Domain = "${domain}"\nDatabase = "shop"\n\n[Token]\nRefreshToken = "${token}"\n`,
    );
    return cli;
  }

  /** One who has never used the program, and trusts the API's certificate. */
  static async createWithoutSettings(): Promise<Cli> {
    const installation = getInstallation();
    const dir = await mkdtemp(join(installation.scratch, 'cli-'));
    await run(['chown', `${UPLOAD_USER}:`, dir]);
    return new Cli(dir, { NODE_EXTRA_CA_CERTS: getApiCertificate(installation).certificate });
  }

  /** Runs `draupnir ARGS…`. */
  run(args: readonly string[], options: CommandOptions = {}): Promise<Outcome> {
    return this.execute([getInstallation().program, ...args], options);
  }

  /** Starts `draupnir ARGS…`. */
  start(args: readonly string[], options: CommandOptions = {}): Running {
    return startCommand([getInstallation().program, ...args], this.#complete(options));
  }

  /** The ids that `draupnir instances list` shows. */
  async listInstanceIds(): Promise<number[]> {
    const { stdout } = await this.run(['instances', 'list']);
    return [...stdout.matchAll(/^ *([0-9]+) \[/gm)].map(([, id]) => Number(id));
  }

  /** Runs a bash script in which `draupnir` is the program. */
  bash(script: string, env: Record<string, string> = {}): Promise<Outcome> {
    const prelude = `set -Eeuo pipefail\ndraupnir() { '${getInstallation().program}' "$@"; }\n`;
    return this.execute(['bash', '-c', prelude + script], { env });
  }

  /** Runs another program as the person. */
  execute(argv: readonly string[], options: CommandOptions = {}): Promise<Outcome> {
    return runCommand(argv, this.#complete(options));
  }

  /** Writes a file that belongs to the person; resolves to its path. */
  async writeFile(name: string, content: string): Promise<string> {
    const file = join(this.dir, name);
    await run(['sh', '-c', 'umask 077; cat >"$1"', 'sh', file], { user: UPLOAD_USER, input: content });
    return file;
  }

  #complete(options: CommandOptions): CommandOptions {
    return { user: UPLOAD_USER, ...options, env: { ...this.#env, ...options.env } };
  }
}
