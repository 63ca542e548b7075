import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { asUser, removeTrees } from '../../support/command.ts';
import { getInstallation } from '../../support/installation.ts';
import type { Confinement } from '../../support/server.ts';
import { isOwnUid, listProcesses, signal } from '../../support/processes.ts';
import { remountVolume, unmountVolume } from '../../support/volume.ts';

/** The first process of the machine: reaps whom nobody else does, as every init has to. */
const INIT = '"$@" & wait "$!"';

/**
 * Something like a machine of its own, which can lose its power: its processes see themselves alone, and when the first ends the
 * kernel kills all others in the same instant (pid_namespaces(7)). It has the network of the host.
 */
export const MACHINE: Confinement = {
  inside(argv, user) {
    const inner = user === undefined ? argv : asUser(user, argv);
    return [
      ...['unshare', '--pid', '--fork', '--kill-child', '--mount', '--mount-proc'],
      ...['bash', '-c', INIT, 'init', ...inner],
    ];
  },
  connect: (host, port) =>
    fetch(`http://${host}:${port}/health_check`).then(
      (response) => (response.ok ? 'connected' : response.status),
      () => 'refused',
    ),
};

/** What a host has lost after its power was away: what was mounted, and what was in memory. */
export async function losePower(): Promise<void> {
  const { data, run } = getInstallation();
  // Those of a server that ran on the host itself.
  for (const { pid, uid } of await listProcesses()) if (isOwnUid(uid)) signal(pid, 'SIGKILL');
  await unmountVolume(data);
  await removeTrees(...(await readdir(run)).map((name) => join(run, name)));
}

/** What a host does before it starts the server. */
export function mountAgain(): Promise<void> {
  return remountVolume(getInstallation());
}
