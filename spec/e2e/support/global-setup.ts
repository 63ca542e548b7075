/**
 * Vitest's global setup of the e2e tests: one installation, made the way an administrator makes one, for as long as the
 * tests run. The server itself is started by each test file.
 */
import { chmod, mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { createAccounts } from './accounts.ts';
import { Api } from './api.ts';
import { createApiCertificate } from './certificate.ts';
import { run } from './command.ts';
import { describeInstallation, type Installation, PARENT, PREFIX, SERVER_USER } from './installation.ts';
import { startMetadataCluster } from './metadata.ts';
import { findFreePort } from './ports.ts';
import { installPostgres, listMajors } from './postgres-root.ts';
import { installProgram } from './program.ts';
import { Server } from './server.ts';
import { writeServerConfig } from './server-config.ts';
import { ANONYMISE, Source } from './source.ts';
import { startSshd } from './sshd.ts';
import { claimInstallation, removeInstallation, removeStaleInstallations } from './teardown.ts';
import { upload } from './upload.ts';
import { mountVolume } from './volume.ts';

/** Makes the installation and provides it as `e2e`; resolves to what removes all of it. */
export default async function setup(project: Pick<TestProject, 'provide'>): Promise<() => Promise<void>> {
  if (process.getuid?.() !== 0) {
    throw new Error('the e2e tests need root: they make a volume, users and sudo rules of their own');
  }
  await removeStaleInstallations();
  const { majors, debianMajor } = await listMajors();
  const dir = await mkdtemp(join(PARENT, PREFIX));
  try {
    await claimInstallation(dir);
    const [httpsPort, httpPort, sshPort] = [await findFreePort(), await findFreePort(), await findFreePort()];
    const installation = describeInstallation({ dir, httpsPort, httpPort, sshPort, debianMajor, majors });
    await install(installation);
    const { imageId, backup } = await prepareImage(installation);
    project.provide('e2e', { installation, imageId, backup });
  } catch (error) {
    await removeInstallation(dir);
    throw error;
  }
  return () => removeInstallation(dir);
}

async function install(installation: Installation): Promise<void> {
  const { dir, majors, debianMajor, postgres } = installation;
  await chmod(dir, 0o755);
  await mkdir(installation.logs);
  await mkdir(installation.scratch);
  await createAccounts(installation.home);
  await installPostgres(postgres, majors, debianMajor);
  await mountVolume(installation);
  await installProgram(installation);
  await createApiCertificate(installation);
  await run(['install', '-d', '-m', '0700', '-o', SERVER_USER, '-g', SERVER_USER, installation.state]);
  await startMetadataCluster(installation);
  await startSshd(installation);
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
