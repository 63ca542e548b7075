import { run, succeeds } from './host.ts';
import type { Layout } from './layout.ts';
import { writeMade } from './made.ts';
import type { Made } from './made.ts';

/** Runs the server. */
export const SERVER_USER = 'draupnir';
/** Copies backups into the upload directories. */
export const UPLOAD_USER = 'draupnir-upload';

/** Makes the users that are missing; those that exist belong to somebody else and are used as they are. */
export async function createUsers(layout: Layout, made: Made): Promise<void> {
  for (const user of [SERVER_USER, UPLOAD_USER]) {
    if (await succeeds(['id', user])) continue;
    if (!made.users.includes(user)) made.users.push(user);
    await writeMade(layout, made);
    await run([
      'useradd',
      '--system',
      '--user-group',
      '--no-create-home',
      '--shell',
      '/usr/sbin/nologin',
      user,
    ]);
  }
}

export async function removeUsers(made: Made): Promise<void> {
  for (const user of made.users) {
    if (await succeeds(['id', user])) await run(['userdel', user]);
    // userdel keeps the group when another user has joined it.
    if (await succeeds(['getent', 'group', user])) await run(['groupdel', user]);
  }
}
