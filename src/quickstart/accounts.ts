import { run, succeeds } from './host.ts';
import { type Accounts, type Layout, USUAL_ACCOUNTS } from './layout.ts';
import { writeMade } from './made.ts';
import type { Made } from './made.ts';
import { listUsersOfOthers, type Neighbourhood } from './neighbours.ts';

/** Users for an installation: those it has, or the first that no other one uses. */
export async function chooseAccounts(made: Made | undefined, host: Neighbourhood): Promise<Accounts> {
  if (made?.accounts) return made.accounts;
  if (host.own) return USUAL_ACCOUNTS;
  const taken = listUsersOfOthers(host, { orphaned: false });
  if (!taken.has(USUAL_ACCOUNTS.server) && !taken.has(USUAL_ACCOUNTS.upload)) return USUAL_ACCOUNTS;
  for (let number = 2; ; number++) {
    const server = `${USUAL_ACCOUNTS.server}-${number}`;
    const accounts = { server, upload: `${server}-upload` };
    const names = Object.values(accounts);
    const exist = await Promise.all(names.map((name) => succeeds(['id', name])));
    if (!exist.includes(true) && !names.some((name) => taken.has(name))) return accounts;
  }
}

/** Makes the users that are missing. The usual ones may be the administrator's, and are used as they are. */
export async function createUsers(layout: Layout, made: Made): Promise<void> {
  for (const user of [layout.serverUser, layout.uploadUser]) {
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

/** Removes the users that were made here, but for those that others use by now; resolves to these. */
export async function removeUsers(made: Made, usersOfOthers: ReadonlySet<string>): Promise<string[]> {
  for (const user of made.users) {
    if (usersOfOthers.has(user)) continue;
    if (await succeeds(['id', user])) await run(['userdel', user]);
    // userdel keeps the group when another user has joined it.
    if (await succeeds(['getent', 'group', user])) await run(['groupdel', user]);
  }
  return made.users.filter((user) => usersOfOthers.has(user));
}
