import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import { type Installation, LEGACY_USER, SERVER_USER } from './installation.ts';
import { runPostgres } from './original-images.ts';

/** Where an instance of the original keeps its data, its configuration and its certificates. */
export function getOriginalDirectory({ data }: Installation, id: number): string {
  return join(data, 'instances', String(id));
}

/** The script draupnir-create-instance; without a port it ends where Postgres could not start. */
export async function makeOriginalInstance(
  installation: Installation,
  id: number,
  imageId: number,
  port?: number,
): Promise<void> {
  const dir = getOriginalDirectory(installation, id);
  const at = (name: string): string => join(dir, name);
  const snapshot = join(installation.data, 'image_snapshots', String(imageId));
  await run(['btrfs', '-q', 'subvolume', 'snapshot', snapshot, dir]);
  await run(['chown', `${LEGACY_USER}:${SERVER_USER}`, dir]);
  await run(['chmod', 'g+rx', dir]);
  await makeCertificates(dir, id);
  const tls = `ssl = on\nssl_ca_file = 'ca.crt'\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\n`;
  await appendFile(at('postgresql.conf'), `${tls}unix_socket_directories = '${dir}'\n`);
  await writeFile(at('pg_ident.conf'), `draupnir "Draupnir instance ${id} client" draupnir\n`);
  await run(['chown', `root:${LEGACY_USER}`, at('pg_ident.conf')]);
  await run(['chmod', '0640', at('pg_ident.conf')]);
  await run(['chattr', '+i', at('pg_ident.conf')]);
  // Written for the checks of the new instance, and removed before its last start.
  await run(['rm', '-f', at('postgresql.auto.conf')]);
  if (port === undefined) return;
  const log = join(installation.scratch, `original-instance-${id}`);
  await run(['install', '-m', '0600', '-o', LEGACY_USER, '/dev/null', log]);
  const options = ['-D', dir, '-l', log, '-w', '-s', '-o', `-p ${port}`];
  await runPostgres(installation, LEGACY_USER, ['pg_ctl', ...options, 'start']);
}

/** By openssl, RSA; requests and the CA's key stay root's, what is served belongs to the server's user. */
async function makeCertificates(dir: string, id: number): Promise<void> {
  const at = (name: string): string => join(dir, name);
  const request = async (name: string, subject: string): Promise<void> => {
    const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', at(`${name}.key`)];
    const subjectName = `/CN=Draupnir instance ${id} ${subject}`;
    await run(['openssl', 'req', '-new', '-text', ...key, '-out', at(`${name}.csr`), '-subj', subjectName]);
    await run(['chmod', '0600', at(`${name}.key`)]);
  };
  const sign = async (name: string, ...by: string[]): Promise<void> => {
    const files = ['-in', at(`${name}.csr`), '-out', at(`${name}.crt`)];
    await run(['openssl', 'x509', '-req', '-text', '-days', '30', ...files, ...by]);
    await run(['chmod', '0644', at(`${name}.crt`)]);
  };
  await request('ca', 'certification authority');
  await sign('ca', '-extfile', '/etc/ssl/openssl.cnf', '-extensions', 'v3_ca', '-signkey', at('ca.key'));
  for (const name of ['server', 'client']) {
    await request(name, name);
    await sign(name, '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial');
  }
  await run(['chown', LEGACY_USER, at('ca.crt'), at('server.key'), at('server.crt')]);
  await run(['chown', SERVER_USER, at('client.key'), at('client.crt')]);
}
