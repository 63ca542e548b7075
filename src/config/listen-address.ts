import { isHostname, isIpAddress } from './hostname.ts';

/** Where a listener binds. */
export interface ListenAddress {
  /** IP address without brackets, or a name; empty for every address of the machine, IPv6 and IPv4. */
  host: string;
  /** 0 lets the system choose. */
  port: number;
}

/** Reads `host:port`, `[::1]:port` or `:port`, as Go's `net.Listen` takes them. Undefined when it is none of these. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([^[\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, bracketed, plain = ''] = match;
  const port = Number(match[3]);
  if (port > 65535) return undefined;
  if (bracketed !== undefined) {
    return bracketed.includes(':') && isIpAddress(bracketed) ? { host: bracketed, port } : undefined;
  }
  return plain === '' || isHostname(plain) ? { host: plain, port } : undefined;
}
