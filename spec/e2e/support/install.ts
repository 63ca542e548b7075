import { chmod, mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { createAccounts } from './accounts.ts';
import { createApiCertificate } from './certificate.ts';
import { run } from './command.ts';
import { describeInstallation, type Installation, PARENT, PREFIX, SERVER_USER } from './installation.ts';
import { startMetadataCluster } from './metadata.ts';
import { findFreePort } from './ports.ts';
import { installPostgres, listMajors } from './postgres-root.ts';
import { installProgram } from './program.ts';
import { startSshd } from './sshd.ts';
import { claimInstallation, removeInstallation, removeStaleInstallations } from './teardown.ts';
import { mountVolume } from './volume.ts';

/**
 * Makes an installation the way an administrator makes one; what a killed run has left is removed before. The server is not
 * started. Throws when another run of this slot is under way. A failure leaves nothing behind.
 */
export async function createInstallation(): Promise<Installation> {
  if (process.getuid?.() !== 0) {
    throw new Error('an installation needs root: it has a volume, users and sudo rules of its own');
  }
  await removeStaleInstallations();
  const { majors, debianMajor } = await listMajors();
  const dir = await mkdtemp(join(PARENT, PREFIX));
  try {
    await claimInstallation(dir);
    const [httpsPort, httpPort] = [await findFreePort(), await findFreePort()];
    const [metricsPort, sshPort] = [await findFreePort(), await findFreePort()];
    const installation = describeInstallation({
      dir,
      httpsPort,
      httpPort,
      metricsPort,
      sshPort,
      debianMajor,
      majors,
    });
    await install(installation);
    return installation;
  } catch (error) {
    await removeInstallation(dir);
    throw error;
  }
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
