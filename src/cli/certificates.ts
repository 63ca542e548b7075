import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Credentials } from './documents.ts';
import { describeFileFailure } from './file-failure.ts';

const TEMPORARY_HINT = 'TMPDIR=DIRECTORY keeps the certificates in another directory';

/** Where libpq finds what it connects with. */
export interface CertificatePaths {
  rootCertificate: string;
  clientCertificate: string;
  clientKey: string;
}

/**
 * Writes an instance's credentials to a fresh directory that only the caller can enter, `draupnir-<id>-XXXXXX` in
 * the directory for temporary files. Nobody removes it but the system: the shell needs it for as long as it runs.
 * Throws `CliError`.
 */
export async function writeCertificates(
  instanceId: number,
  credentials: Credentials,
): Promise<CertificatePaths> {
  const name = `draupnir-${instanceId}-`;
  const directory = await createDirectory(name).catch((error: unknown) => {
    throw describeFileFailure(error, 'write', join(tmpdir(), `${name}XXXXXX`), TEMPORARY_HINT);
  });
  const paths: CertificatePaths = {
    rootCertificate: join(directory, 'ca.crt'),
    clientCertificate: join(directory, 'client.crt'),
    clientKey: join(directory, 'client.key'),
  };
  try {
    await writeNew(paths.rootCertificate, credentials.caCertificate, 0o644);
    await writeNew(paths.clientCertificate, credentials.clientCertificate, 0o644);
    // libpq refuses a key that others can read.
    await writeNew(paths.clientKey, credentials.clientKey, 0o600);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw describeFileFailure(error, 'write', directory, TEMPORARY_HINT);
  }
  return paths;
}

async function createDirectory(prefix: string): Promise<string> {
  // A shell changes its directory after eval: with a relative TMPDIR the paths would be wrong then.
  return await mkdtemp(join(resolve(tmpdir()), prefix));
}

async function writeNew(file: string, text: string, mode: number): Promise<void> {
  await using handle = await open(file, 'wx', 0o600);
  await handle.writeFile(text);
  // Given to open, the mode would be cut by the umask.
  await handle.chmod(mode);
}
