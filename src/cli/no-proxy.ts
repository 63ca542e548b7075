import { BlockList, isIP } from 'node:net';

/**
 * Whether `list`, the value of NO_PROXY, exempts a host from the proxy. By curl's rules (CURLOPT_NOPROXY(3)),
 * which Node's own matching lacks in part: a name stands for its subdomains too, addresses may be networks
 * (`10.0.0.0/8`), and loopback is exempt only when it is listed. An entry with a port is for that port alone.
 */
export function isExempt(target: URL, list: string): boolean {
  const host = normalise(target.hostname);
  const port = target.port || (target.protocol === 'https:' ? '443' : '80');
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => matches(entry, host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const { name, entryPort } = split(entry);
  if (entryPort !== undefined && entryPort !== port) return false;
  if (isIP(host) > 0) return containsAddress(name, host);
  const domain = normalise(name.replace(/^\*?\./, ''));
  return domain !== '' && (host === domain || host.endsWith(`.${domain}`));
}

/** Splits `host:port`; IPv6 with a port has brackets. */
function split(entry: string): { name: string; entryPort: string | undefined } {
  const [, bracketed, plain = entry, entryPort] =
    /^(?:\[([^\]]*)\]|([^:[\]]+))(?::([0-9]+))?$/.exec(entry) ?? [];
  return { name: bracketed ?? plain, entryPort };
}

function containsAddress(network: string, address: string): boolean {
  const [base = '', bits, ...rest] = network.split('/');
  const version = isIP(base);
  if (version === 0 || version !== isIP(address) || rest.length > 0) return false;
  const family = version === 6 ? 'ipv6' : 'ipv4';
  const longest = version === 6 ? 128 : 32;
  if (bits !== undefined && (!/^[0-9]{1,3}$/.test(bits) || Number(bits) > longest)) return false;
  const block = new BlockList();
  block.addSubnet(base, bits === undefined ? longest : Number(bits), family);
  return block.check(address, family);
}

/** Lower case, without the brackets of IPv6 and the dot at the end of a name. */
function normalise(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
}
