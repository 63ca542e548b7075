import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findOverlaps } from '../core/host-installation.ts';
import { removeUsers } from './accounts.ts';
import { findHostConf } from './host-conf.ts';
import { withHostLock } from './host-lock.ts';
import { removeTree, run } from './host.ts';
import { createLayout } from './layout.ts';
import type { Layout } from './layout.ts';
import { findMade, refuseForeignFiles } from './made.ts';
import type { Made } from './made.ts';
import { stopMetadataDatabase } from './metadata-database.ts';
import { findNeighbours, listUsersOfOthers } from './neighbours.ts';
import { findPostgresPrograms } from './postgres-programs.ts';
import { stopServer } from './server-process.ts';
import { SourceDatabase } from './source-database.ts';
import type { Steps } from './steps.ts';
import { print } from './steps.ts';
import { runForEach } from './stop-all.ts';
import { unmountVolume } from './volume.ts';

/**
 * Removes everything that quickstart made: processes, mount, users, sudo rules, files; nothing that another
 * installation uses. Works on a half-made installation.
 */
export async function takeDown(usual: Layout, steps: Steps): Promise<void> {
  const made = await findMade(usual);
  if (!made) {
    await refuseForeignFiles(usual);
    print(`there is no quickstart installation in ${usual.dir}`);
    return;
  }
  const layout = createLayout(usual.dir, made.accounts);
  const bin = await findPostgresPrograms();
  await steps.run('stop the server', () => stopServer(layout, made));
  await steps.run('destroy instances and images', () => destroyAll(layout));
  await steps.run('stop the databases', async () => {
    await new SourceDatabase(layout, bin).remove();
    await stopMetadataDatabase(layout, made, bin);
  });
  await steps.run('unmount the volume', () => unmountVolume(layout));
  const kept = await steps.run('remove users, sudo rules and files', () =>
    withHostLock(() => removeFromHost(layout, made)),
  );
  for (const user of kept) print(`user ${user} stays: another installation of this host uses it`);
}

async function destroyAll(layout: Layout): Promise<void> {
  for (const [folder, script] of [
    ['instances', 'draupnir-destroy-instance'],
    ['instance_config', 'draupnir-destroy-instance'],
    ['image_work', 'draupnir-destroy-image'],
    ['image_uploads', 'draupnir-destroy-image'],
    ['image_snapshots', 'draupnir-destroy-image'],
  ] as const) {
    await runForEach(layout, folder, script);
  }
  await shutDown(layout);
}

/**
 * Control groups, firewall chains and run files, where they are this installation's alone: those of earlier
 * versions have the names of a packaged one.
 */
async function shutDown(layout: Layout): Promise<void> {
  if (!/^CHAIN_PREFIX=/m.test((await findHostConf(layout)) ?? '')) return;
  const { own, others } = await findNeighbours(layout);
  if (!own || others.some((other) => findOverlaps(own, other).some(({ kind }) => kind === 'users'))) return;
  await run([join(layout.scripts, 'draupnir-shut-down')]);
}

/** Resolves to the users that stay. */
async function removeFromHost(layout: Layout, made: Made): Promise<string[]> {
  const kept = await removeUsers(made, listUsersOfOthers(await findNeighbours(layout), { orphaned: true }));
  if (made.sudoers !== '') await rm(made.sudoers, { force: true });
  await removeTree(layout.dir);
  return kept;
}
