import { join } from 'node:path';
import { isRunning, startDaemon, stopDaemon, waitUntilReady } from './daemon.ts';
import type { Daemon } from './daemon.ts';
import { asUser, removeTree, run, succeeds } from './host.ts';
import type { Layout } from './layout.ts';
import type { Made } from './made.ts';

/** Makes and starts the private Postgres for the metadata: a socket in its own directory, no port. */
export async function startMetadataDatabase(layout: Layout, made: Made, bin: string): Promise<void> {
  const daemon = describeMetadataDatabase(layout, bin);
  const { serverUser } = layout;
  if (!(await succeeds(asUser(serverUser, ['test', '-e', join(layout.metadata, 'PG_VERSION')])))) {
    await run(['install', '-d', '-m', '0700', '-o', serverUser, '-g', serverUser, layout.metadata]);
    await run([join(bin, 'initdb'), '-D', layout.metadata, '-E', 'UTF8', '--no-locale', '-A', 'peer'], {
      user: layout.serverUser,
    }).catch(async (error: unknown) => {
      await removeTree(layout.metadata);
      throw error;
    });
  }
  const earlier = made.processes[daemon.name];
  if (earlier === undefined || !(await isRunning(earlier, daemon))) {
    const pid = await startDaemon(layout, made, daemon);
    const ask = [...asOwner(layout), '-d', 'postgres', '-c', 'SELECT 1'];
    await waitUntilReady(daemon, pid, () => succeeds(ask));
  }
  const databases = await run([
    ...asOwner(layout),
    '-d',
    'postgres',
    '-c',
    'SELECT datname FROM pg_database',
  ]);
  if (!databases.split('\n').includes('draupnir')) {
    await run([...asOwner(layout), '-d', 'postgres', '-c', 'CREATE DATABASE draupnir']);
  }
}

export async function stopMetadataDatabase(layout: Layout, made: Made, bin: string): Promise<void> {
  await stopDaemon(layout, made, describeMetadataDatabase(layout, bin), 'SIGINT');
}

function describeMetadataDatabase(layout: Layout, bin: string): Daemon {
  return {
    name: 'metadata database',
    user: layout.serverUser,
    argv: [join(bin, 'postgres'), '-D', layout.metadata, '-k', layout.metadata, '-c', 'listen_addresses='],
    logFile: layout.metadataLog,
  };
}

/** psql as the server's user, whom alone the database knows (peer authentication). */
function asOwner(layout: Layout): string[] {
  return [
    ...asUser(layout.serverUser, ['psql', '-X', '-A', '-t', '-q']),
    ...['-v', 'ON_ERROR_STOP=1', '-h', layout.metadata],
  ];
}
