import { spawn } from 'node:child_process';
import { access, mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { run } from './command.ts';
import { ANY_PREFIX, type Installation, PARENT, UPLOAD_USER } from './installation.ts';
import { signal } from './processes.ts';
import { waitUntil } from './wait.ts';

/** sshd's privilege separation insists on it; Debian's service makes it. */
const PRIVSEP = '/run/sshd';

/** Files of the ssh server and of its one client. */
export function describeSsh({ ssh }: Pick<Installation, 'ssh'>) {
  return {
    config: join(ssh, 'sshd_config'),
    pid: join(ssh, 'sshd.pid'),
    log: join(ssh, 'sshd.log'),
    hostKey: join(ssh, 'host_key'),
    clientKey: join(ssh, 'client_key'),
    knownHosts: join(ssh, 'known_hosts'),
    /** Exists when we have made PRIVSEP. */
    madePrivsep: join(ssh, 'made-run-sshd'),
  };
}

/** Starts a real sshd on a port of its own that lets in the upload user by key. */
export async function startSshd(installation: Installation): Promise<void> {
  const { ssh, sshPort } = installation;
  const files = describeSsh(installation);
  await mkdir(ssh);
  for (const key of [files.hostKey, files.clientKey]) {
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key]);
  }
  const hostKey = await readFile(`${files.hostKey}.pub`, 'utf8');
  await writeFile(files.knownHosts, `[127.0.0.1]:${sshPort} ${hostKey}`);
  await writeFile(
    files.config,
    `Port ${sshPort}
ListenAddress 127.0.0.1
HostKey ${files.hostKey}
PidFile ${files.pid}
AuthorizedKeysFile ${files.clientKey}.pub
AllowUsers ${UPLOAD_USER}
PasswordAuthentication no
UsePAM no
MaxStartups 100
Subsystem sftp internal-sftp
`,
  );
  await makePrivsep(files.madePrivsep);
  const log = await open(files.log, 'a', 0o600);
  spawn('/usr/sbin/sshd', ['-D', '-e', '-f', files.config], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  }).unref();
  await log.close();
  await waitUntil('sshd takes connections', () => canConnect(sshPort)).catch(async (cause: unknown) => {
    throw new Error(`sshd does not start:\n${await readFile(files.log, 'utf8')}`, { cause });
  });
}

/** Ends it, and removes what it made outside the installation. */
export async function stopSshd(installation: Pick<Installation, 'ssh'>): Promise<void> {
  const files = describeSsh(installation);
  const pid = Number(await readFile(files.pid, 'utf8').catch(() => ''));
  const isOurs = async (): Promise<boolean> =>
    (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes(files.config);
  if (pid > 0 && (await isOurs())) {
    signal(pid, 'SIGTERM');
    await waitUntil('sshd ends', async () => !(await isOurs()));
  }
  if (await exists(files.madePrivsep)) await leavePrivsep(files);
}

/** Another slot's sshd may use it by now: that one is to remove it then. */
async function leavePrivsep(files: ReturnType<typeof describeSsh>): Promise<void> {
  const names = (await readdir(PARENT)).filter((name) => ANY_PREFIX.test(name));
  const others = names.map((name) => describeSsh({ ssh: join(PARENT, name, 'ssh') }));
  for (const other of others.filter(({ config }) => config !== files.config)) {
    if (!(await exists(other.config))) continue;
    await writeFile(other.madePrivsep, '');
    return;
  }
  await rm(PRIVSEP, { recursive: true, force: true });
}

async function makePrivsep(mark: string): Promise<void> {
  if (await exists(PRIVSEP)) return;
  await writeFile(mark, '');
  await mkdir(PRIVSEP, { mode: 0o755 });
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
