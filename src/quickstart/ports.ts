import { intersect, type HostInstallation } from '../core/host-installation.ts';
import { findListenError } from '../exec/listen-probe.ts';
import { readListeningSockets } from '../exec/listening-sockets.ts';

/** Above the port of a packaged installation, 8443, which may come later. */
const FIRST_API_PORT = 18_443;
const COUNT = 200;

/**
 * A port for the API that is free now, and that none of these installations has for itself. Throws when there
 * is none.
 */
export async function chooseApiPort(others: readonly HostInstallation[]): Promise<number> {
  for (let port = FIRST_API_PORT; port < FIRST_API_PORT + COUNT; port++) {
    const isTaken = others.some(
      ({ apiPort, instancePorts }) =>
        apiPort === port || (instancePorts && intersect(instancePorts, { from: port, to: port })),
    );
    if (isTaken) continue;
    if ((await findListenError({ host: 'localhost', port })) === undefined) return port;
  }
  throw new Error(`no free port for the API from ${FIRST_API_PORT} on`);
}

/** TCP ports that programs of this host listen on. */
export async function listListeningPorts(): Promise<number[]> {
  return (await readListeningSockets()).map(({ port }) => port);
}
