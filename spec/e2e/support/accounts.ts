import { run, runCommand } from './command.ts';
import { LEGACY_USER, SERVER_USER, UPLOAD_USER } from './installation.ts';

const USERS = [SERVER_USER, UPLOAD_USER, LEGACY_USER];

/** Makes the server's user and the upload user, who has a shell and a home. */
export async function createAccounts(home: string): Promise<void> {
  await run([
    'useradd',
    '--system',
    '--user-group',
    '--no-create-home',
    '--shell',
    '/usr/sbin/nologin',
    SERVER_USER,
  ]);
  // sshd without PAM takes an account whose password starts with «!», useradd's default, for locked.
  const shell = ['--password', '*', '--shell', '/bin/bash', '--home-dir', home, '--create-home'];
  await run(['useradd', '--system', '--user-group', ...shell, UPLOAD_USER]);
}

/** Removes the users that are there. */
export async function removeAccounts(): Promise<void> {
  for (const user of USERS) {
    if ((await findUid(user)) !== undefined) await run(['userdel', user]);
    const group = await runCommand(['getent', 'group', user]);
    if (group.exitCode === 0) await run(['groupdel', user]);
  }
}

/** The numbers of our users that exist. */
export async function listAccountUids(): Promise<number[]> {
  const uids = await Promise.all(USERS.map(findUid));
  return uids.filter((uid) => uid !== undefined);
}

async function findUid(user: string): Promise<number | undefined> {
  const { exitCode, stdout } = await runCommand(['id', '-u', user]);
  return exitCode === 0 ? Number(stdout) : undefined;
}
