import type { PortProbe } from '../core/instance.ts';
import { findListenError } from './listen-probe.ts';

/** Addresses Postgres will listen on; it starts happily when one of the two is taken by somebody else. */
const ADDRESSES = ['0.0.0.0', '::'];

/** Tries out ports by listening on them for a moment. */
export class HostPortProbe implements PortProbe {
  async isFree(port: number): Promise<boolean> {
    const free = await Promise.all(ADDRESSES.map((host) => canListen(host, port)));
    return free.every(Boolean);
  }
}

async function canListen(host: string, port: number): Promise<boolean> {
  const code = await findListenError({ host, port, ipv6Only: true });
  // A host without IPv6 has no listener there.
  return code === undefined || code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL';
}
