import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/**
 * The address that stands for all addresses of this machine: `::`, which takes IPv4 as well, or `0.0.0.0` where the kernel has
 * no IPv6 (`ipv6.disable=1`). Node decides that for a listener without a host (documentation of `server.listen`).
 */
export async function findUnspecifiedAddress(): Promise<string> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { address } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return address;
}
