import { mkdir } from 'node:fs/promises';
import { findForeignDirectory } from '../exec/foreign-directory.ts';
import { chooseAccounts, createUsers } from './accounts.ts';
import { withHostLock } from './host-lock.ts';
import { install } from './installation.ts';
import type { Access } from './installation.ts';
import { createLayout } from './layout.ts';
import type { Layout } from './layout.ts';
import { findMade, writeMade, refuseForeignFiles } from './made.ts';
import type { Made } from './made.ts';
import { runMainJob } from './main-job.ts';
import type { Outcome } from './main-job.ts';
import { startMetadataDatabase } from './metadata-database.ts';
import { findNeighbours, refuseOverlaps, sharesSomething } from './neighbours.ts';
import { planInstallation } from './plan.ts';
import { findPostgresPrograms } from './postgres-programs.ts';
import { checkRequirements } from './requirements.ts';
import { startServer, stopServer } from './server-process.ts';
import { stopAll } from './stop-all.ts';
import { print, Steps } from './steps.ts';
import { takeDown } from './take-down.ts';
import { mountVolume } from './volume.ts';

const DEFAULT_DIR = '/var/lib/draupnir-quickstart';

export interface QuickstartOptions {
  /** Where everything is kept; the usual directory when undefined. */
  dir: string | undefined;
  /** Whether to remove all of it. */
  down: boolean;
  /** Whether to run the main job on a sample database. */
  sample: boolean;
  /** Whether to give an installation that exists numbers that no other one of the host uses. */
  renumber: boolean;
}

/**
 * `draupnir quickstart`: a self-contained installation below one directory, and the main job on a sample database. With
 * `down` all of it is removed. Resolves to the exit code.
 */
export async function runQuickstart(options: QuickstartOptions): Promise<number> {
  try {
    const layout = createLayout(options.dir ?? DEFAULT_DIR);
    await checkRequirements();
    await checkOwners(layout);
    const steps = new Steps();
    if (options.down) await takeDown(layout, steps);
    else await setUp(layout, steps, options);
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

async function setUp(usual: Layout, steps: Steps, options: QuickstartOptions): Promise<void> {
  // A mode given to mkdir or writeFile is an upper limit; without one, files must not be writable by others for a moment.
  process.umask(0o022);
  const bin = await findPostgresPrograms();
  const { layout, made, access } = await withHostLock(() => makeInstallation(usual, steps, options));
  await steps.run('start a private Postgres for the metadata', () =>
    startMetadataDatabase(layout, made, bin),
  );
  await steps.run(
    `start the server as user ${layout.serverUser}`,
    () => startServer(layout, made, access.url),
    () => access.url,
  );
  const outcome = options.sample ? await runMainJob(layout, bin, steps) : undefined;
  printFarewell(layout, access, outcome, steps.total);
}

/**
 * All that has to differ from other installations of this host. Refuses one that does not, before anything is
 * changed.
 */
async function makeInstallation(
  usual: Layout,
  steps: Steps,
  options: QuickstartOptions,
): Promise<{ layout: Layout; made: Made; access: Access }> {
  const host = await findNeighbours(usual);
  if (!options.renumber) refuseOverlaps(host, usual);
  const renumber = options.renumber && sharesSomething(host);
  const earlier = await findMade(usual);
  if (!earlier) await refuseForeignFiles(usual);
  const accounts = await chooseAccounts(earlier, host);
  const layout = createLayout(usual.dir, accounts);
  await mkdir(layout.dir, { recursive: true, mode: 0o755 });
  const made: Made = { users: [], sudoers: '', processes: {}, ...earlier, accounts };
  await writeMade(layout, made);
  if (renumber) {
    await steps.run('stop the server, its instances and preparations', async () => {
      await stopServer(layout, made);
      await stopAll(layout);
    });
  }
  await steps.run('make users', () => createUsers(layout, made));
  await steps.run('mount a btrfs volume in a sparse file', () => mountVolume(layout));
  const access = await steps.run('install program, scripts, sudo rules and configuration', async () =>
    install(layout, made, await planInstallation(layout, host, { renumber })),
  );
  return { layout, made, access };
}

function printFarewell(layout: Layout, access: Access, outcome: Outcome | undefined, total: string): void {
  print();
  print(`Done in ${total}. The server goes on at ${access.url}; its log is ${layout.serverLog}.`);
  print(`The address and the secret are in ${layout.env}.`);
  print();
  if (outcome) printUsage(layout, outcome);
  print('To remove all of it:');
  print();
  print(`    ${takeDownCommand(layout)}`);
}

function printUsage(layout: Layout, { instanceId }: Outcome): void {
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
}

function takeDownCommand(layout: Layout): string {
  return layout.dir === DEFAULT_DIR
    ? `${layout.program} quickstart --down`
    : `${layout.program} quickstart --down --dir ${layout.dir}`;
}
