import { join } from 'node:path';
import type pg from 'pg';
import type { Instance } from './api.ts';
import { run } from './command.ts';
import { connect } from './instance-client.ts';
import { getInstallation } from './installation.ts';

/** What an attack prints when it got what it must not get. */
export const BREACH = 'BREACH';

/** Somebody who has become superuser inside an instance: all of Postgres, and programs as the instance's uid. */
export class Attacker {
  readonly instance: Instance;
  readonly client: pg.Client;

  private constructor(instance: Instance, client: pg.Client) {
    this.instance = instance;
    this.client = client;
  }

  /** Lets root make the owner of the instance a superuser, and connects as the owner. */
  static async create(instance: Instance): Promise<Attacker> {
    const socket = join(getInstallation().run, 'instances', String(instance.id));
    const connection = ['-h', socket, '-p', String(instance.port), '-U', 'draupnir-admin', '-d', 'postgres'];
    await run(['psql', '-X', '-q', ...connection, '-c', 'ALTER ROLE draupnir SUPERUSER']);
    return new Attacker(instance, await connect(instance));
  }

  /** Runs a bash script as a program of Postgres; resolves to all that it printed. Throws when Postgres could not run it. */
  async shell(script: string): Promise<string> {
    await this.client.query('CREATE TEMP TABLE IF NOT EXISTS printed (line text); TRUNCATE printed');
    await this.client.query(`COPY printed FROM PROGRAM '${formatProgram(script)}'`);
    const { rows } = await this.client.query<{ line: string }>('SELECT line FROM printed');
    return decodeOutput(rows[0]?.line ?? '');
  }

  end(): Promise<void> {
    return this.client.end();
  }
}

/** A command line that runs a bash script and prints its output as one line, free of what SQL and COPY could misread. */
export function formatProgram(script: string): string {
  const encoded = Buffer.from(script).toString('base64');
  return `(echo ${encoded} | base64 -d | bash 2>&1; echo "the end") | base64 -w0`;
}

/** What that line stands for. Throws when the script was cut off. */
export function decodeOutput(line: string): string {
  const output = Buffer.from(line, 'base64').toString();
  if (!output.endsWith('the end\n')) throw new Error(`the attack did not run to its end: ${output}`);
  return output.slice(0, -'the end\n'.length);
}
