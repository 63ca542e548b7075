import { mkdir } from 'node:fs/promises';
import { findForeignDirectory } from '../exec/foreign-directory.ts';
import { createUsers } from './accounts.ts';
import { install } from './installation.ts';
import type { Access } from './installation.ts';
import { createLayout } from './layout.ts';
import type { Layout } from './layout.ts';
import { findMade, writeMade } from './made.ts';
import { runMainJob } from './main-job.ts';
import type { Outcome } from './main-job.ts';
import { startMetadataDatabase } from './metadata-database.ts';
import { choosePorts } from './ports.ts';
import { findPostgresPrograms } from './postgres-programs.ts';
import { checkRequirements } from './requirements.ts';
import { startServer } from './server-process.ts';
import { print, Steps } from './steps.ts';
import { takeDown } from './take-down.ts';
import { mountVolume } from './volume.ts';

const DEFAULT_DIR = '/var/lib/draupnir-quickstart';

/**
 * `draupnir quickstart`: a self-contained installation below one directory, and the main job on a sample database. With
 * `down` all of it is removed. Resolves to the exit code.
 */
export async function runQuickstart(options: { dir: string | undefined; down: boolean }): Promise<number> {
  try {
    const layout = createLayout(options.dir ?? DEFAULT_DIR);
    await checkRequirements();
    await checkOwners(layout);
    const steps = new Steps();
    if (options.down) await takeDown(layout, steps);
    else await setUp(layout, steps);
    return 0;
  } catch (error) {
    print(`draupnir: ${error instanceof Error ? error.message : 'unknown failure'}`);
    return 1;
  }
}

/** Throws when another user could put a link, or an installation of their own, where root is about to work. */
async function checkOwners({ dir }: Layout): Promise<void> {
  const foreign = await findForeignDirectory(dir);
  if (foreign === undefined) return;
  const hint = 'choose a --dir below a directory that root alone can write, such as /var/lib';
  throw new Error(`${dir}: users other than root can write to ${foreign}: ${hint}`);
}

async function setUp(layout: Layout, steps: Steps): Promise<void> {
  // A mode given to mkdir or writeFile is an upper limit; without one, files must not be writable by others for a moment.
  process.umask(0o022);
  await mkdir(layout.dir, { recursive: true, mode: 0o755 });
  const made = (await findMade(layout)) ?? { users: [], sudoers: '', processes: {} };
  await writeMade(layout, made);
  const bin = await findPostgresPrograms();

  await steps.run('make users', () => createUsers(layout, made));
  await steps.run('mount a btrfs volume in a sparse file', () => mountVolume(layout));
  const access = await steps.run('install program, scripts, sudo rules and configuration', async () =>
    install(layout, made, await choosePorts(layout)),
  );
  await steps.run('start a private Postgres for the metadata', () =>
    startMetadataDatabase(layout, made, bin),
  );
  await steps.run(
    'start the server as user draupnir',
    () => startServer(layout, made, access.url),
    () => access.url,
  );
  const outcome = await runMainJob(layout, bin, steps);
  printFarewell(layout, access, outcome, steps.total);
}

function printFarewell(layout: Layout, access: Access, { instanceId }: Outcome, total: string): void {
  print();
  print(`Done in ${total}. The server goes on at ${access.url}; its log is ${layout.serverLog}.`);
  print(`The address and the secret are in ${layout.env}.`);
  print();
  print('To use your instance, copy this line:');
  print();
  print(
    `    eval "$(${layout.cli} env ${instanceId})" && psql -c 'SELECT name, email FROM customers LIMIT 5'`,
  );
  print();
  print('To make another one and use it:');
  print();
  print(`    eval "$(${layout.cli} new)" && psql`);
  print();
  print('To remove all of it:');
  print();
  print(`    ${takeDownCommand(layout)}`);
}

function takeDownCommand(layout: Layout): string {
  return layout.dir === DEFAULT_DIR
    ? `${layout.program} quickstart --down`
    : `${layout.program} quickstart --down --dir ${layout.dir}`;
}
