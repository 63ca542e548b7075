import type { Server, Socket } from 'node:net';
import { parseAddress, toNetwork } from './client-address.ts';
import type { HttpLimits } from './limits.ts';

/**
 * Hangs up on connections beyond the limits, before anything is read from them. `isProxy` tells whose connections are
 * those of many.
 */
export function limitConnections(
  server: Server,
  limits: Pick<HttpLimits, 'maxConnections' | 'maxConnectionsPerAddress'>,
  isProxy: (address: string) => boolean,
): void {
  server.maxConnections = limits.maxConnections;
  const open = new Map<string, number>();
  // Before the listener of HTTP or TLS, which would start to read.
  server.prependListener('connection', (socket: Socket) => {
    const address = parseAddress(socket.remoteAddress ?? '');
    if (address === undefined || isProxy(address)) return;
    const network = toNetwork(address);
    const count = open.get(network) ?? 0;
    if (count >= limits.maxConnectionsPerAddress) {
      socket.destroy();
      return;
    }
    open.set(network, count + 1);
    socket.once('close', () => {
      const left = (open.get(network) ?? 1) - 1;
      if (left > 0) open.set(network, left);
      else open.delete(network);
    });
  });
}
