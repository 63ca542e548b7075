import { join } from 'node:path';
import { run } from './command.ts';
import { getInstallation, type Installation, UPLOAD_USER } from './installation.ts';
import { describeSsh } from './sshd.ts';

/** Copies files and folders into the upload directory of an image by scp, as a backup host does. */
export async function upload(
  imageId: number,
  files: readonly string[],
  installation = getInstallation(),
): Promise<void> {
  const target = `${UPLOAD_USER}@127.0.0.1:${getUploadPath(installation, imageId)}/`;
  const options = ['-q', '-r', '-P', String(installation.sshPort), ...sshOptions(installation)];
  await run(['scp', ...options, ...files, target]);
}

/** Removes a file from the upload directory of an image, over ssh. */
export async function removeUploaded(imageId: number, name: string): Promise<void> {
  const installation = getInstallation();
  const file = join(getUploadPath(installation, imageId), name);
  const options = ['-p', String(installation.sshPort), ...sshOptions(installation)];
  await run(['ssh', ...options, `${UPLOAD_USER}@127.0.0.1`, 'rm', '-r', '--', file]);
}

function getUploadPath({ data }: Installation, imageId: number): string {
  return join(data, 'image_uploads', String(imageId));
}

function sshOptions(installation: Installation): string[] {
  const { clientKey, knownHosts } = describeSsh(installation);
  const options = ['BatchMode=yes', 'StrictHostKeyChecking=yes', `UserKnownHostsFile=${knownHosts}`];
  return ['-F', 'none', '-i', clientKey, ...options.flatMap((option) => ['-o', option])];
}
