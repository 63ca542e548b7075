/**
 * Vitest's global setup of the e2e tests: one installation, made the way an administrator makes one, for as long as the
 * tests run. The server itself is started by each test file.
 */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { Api } from './api.ts';
import { createInstallation } from './install.ts';
import type { Installation } from './installation.ts';
import { Server } from './server.ts';
import { writeServerConfig } from './server-config.ts';
import { ANONYMISE, Source } from './source.ts';
import { removeInstallation } from './teardown.ts';
import { upload } from './upload.ts';

/** Makes the installation and provides it as `e2e`; resolves to what removes all of it. */
export default async function setup(project: Pick<TestProject, 'provide'>): Promise<() => Promise<void>> {
  const installation = await createInstallation();
  const { dir, scripts } = installation;
  try {
    // A quarter of it becomes shared_buffers, and Postgres searches all of them for each table that is dropped or rewritten.
    await appendFile(join(scripts, 'host.conf'), 'IMAGE_MEMORY_MAX=1G\n');
    const { imageId, backup } = await prepareImage(installation);
    project.provide('e2e', { installation, imageId, backup });
  } catch (error) {
    await removeInstallation(dir);
    throw error;
  }
  return () => removeInstallation(dir);
}

/** The whole way of a backup, once, for all tests that only need a ready image. */
async function prepareImage(installation: Installation): Promise<{ imageId: number; backup: string[] }> {
  const source = await Source.create(installation, 'shared', installation.debianMajor);
  const backup = await source.takeBaseBackup('backup', '-z');
  await source.cluster.stop();
  const server = await Server.start(installation, await writeServerConfig(installation, 'setup.toml'));
  try {
    const api = new Api(installation);
    const { id } = await api.createImage(ANONYMISE);
    await upload(id, backup, installation);
    const answer = await api.finaliseImage(id);
    if (answer.status !== 200) throw new Error(`the shared image cannot be finalised: ${answer.text}`);
    return { imageId: id, backup };
  } finally {
    await server.stop();
  }
}
