import { createServer } from 'node:net';
import type { PortProbe } from '../core/instance.ts';

/** Addresses Postgres will listen on; it starts happily when one of the two is taken by somebody else. */
const ADDRESSES = ['0.0.0.0', '::'];

/** Tries out ports by listening on them for a moment. */
export class HostPortProbe implements PortProbe {
  async isFree(port: number): Promise<boolean> {
    const free = await Promise.all(ADDRESSES.map((host) => canListen(host, port)));
    return free.every(Boolean);
  }
}

function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      // A host without IPv6 has nobody listening there.
      resolve(error.code === 'EAFNOSUPPORT' || error.code === 'EADDRNOTAVAIL');
    });
    server.listen({ host, port, ipv6Only: true }, () => server.close(() => resolve(true)));
  });
}
