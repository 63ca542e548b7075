import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeUsers } from './accounts.ts';
import { removeTree, run } from './host.ts';
import type { Layout } from './layout.ts';
import { findMade } from './made.ts';
import { stopMetadataDatabase } from './metadata-database.ts';
import { findPostgresPrograms } from './postgres-programs.ts';
import { stopServer } from './server-process.ts';
import { SourceDatabase } from './source-database.ts';
import type { Steps } from './steps.ts';
import { print } from './steps.ts';
import { unmountVolume } from './volume.ts';

/** Removes everything that quickstart made: processes, mount, users, sudo rules, files. Works on a half-made installation. */
export async function takeDown(layout: Layout, steps: Steps): Promise<void> {
  const made = await findMade(layout);
  if (!made) {
    print(`there is no quickstart installation in ${layout.dir}`);
    return;
  }
  const bin = await findPostgresPrograms();
  await steps.run('stop the server', () => stopServer(layout, made));
  await steps.run('destroy instances and images', () => destroyAll(layout));
  await steps.run('stop the databases', async () => {
    await new SourceDatabase(layout, bin).remove();
    await stopMetadataDatabase(layout, made, bin);
  });
  await steps.run('unmount the volume', () => unmountVolume(layout));
  await steps.run('remove users, sudo rules and files', async () => {
    await removeUsers(made);
    if (made.sudoers !== '') await rm(made.sudoers, { force: true });
    await removeTree(layout.dir);
  });
}

async function destroyAll(layout: Layout): Promise<void> {
  for (const [folder, script] of [
    ['instances', 'draupnir-destroy-instance'],
    ['instance_config', 'draupnir-destroy-instance'],
    ['image_work', 'draupnir-destroy-image'],
    ['image_uploads', 'draupnir-destroy-image'],
    ['image_snapshots', 'draupnir-destroy-image'],
  ] as const) {
    const ids = await readdir(join(layout.data, folder)).catch(() => []);
    // What somebody else has put there goes with the volume.
    for (const id of ids.filter((name) => /^[1-9][0-9]{0,8}$/.test(name))) {
      await run([join(layout.scripts, script), id]);
    }
  }
}
