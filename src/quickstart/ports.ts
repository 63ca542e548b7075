import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { intersect, type HostInstallation } from '../core/host-installation.ts';

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
    if (!isTaken && (await canListen(port))) return port;
  }
  throw new Error(`no free port for the API from ${FIRST_API_PORT} on`);
}

/** Of a socket that listens (linux/tcp_states.h, in hexadecimal digits as proc_pid_net(5) has it). */
const TCP_LISTEN = '0A';

/** TCP ports that programs of this host listen on. */
export async function listListeningPorts(): Promise<number[]> {
  const files = ['/proc/net/tcp', '/proc/net/tcp6'];
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  return texts
    .flatMap((text) => text.split('\n').map((line) => line.trim().split(/\s+/)))
    .filter(([, , , state]) => state === TCP_LISTEN)
    .map(([, address = '']) => Number.parseInt(address.slice(address.lastIndexOf(':') + 1), 16));
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: 'localhost', port }, () => server.close(() => resolve(true)));
  });
}
