import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import { type Installation, SERVER_USER } from './installation.ts';

/** Files of the API's certificate, which signs itself and is its own CA. */
export function getApiCertificate({ tls }: Pick<Installation, 'tls'>): { certificate: string; key: string } {
  return { certificate: join(tls, 'api.crt'), key: join(tls, 'api.key') };
}

/** Makes the certificate of the API by openssl; only the server's user can read the key. */
export async function createApiCertificate(installation: Installation): Promise<void> {
  await mkdir(installation.tls);
  await writeApiCertificate(getApiCertificate(installation));
}

/** Makes another one in such files. */
export async function writeApiCertificate({
  certificate,
  key,
}: ReturnType<typeof getApiCertificate>): Promise<void> {
  await run([
    ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-days', '30', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
    ...['-keyout', key, '-out', certificate],
  ]);
  await run(['chown', `${SERVER_USER}:`, key]);
  await run(['chmod', '0400', key]);
  await run(['chmod', '0644', certificate]);
}
