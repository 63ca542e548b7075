import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** Whose word on a client's address is taken. */
export interface ForwardingRules {
  /** Whether `X-Forwarded-For` counts at all. */
  useXForwardedFor: boolean;
  /** Networks of our proxies; with none, whoever connects is taken for a proxy. */
  trustedProxyCidrs: readonly string[];
}

/** Finds out the address of a client from the connection's peer and the value of `X-Forwarded-For`. */
export type ClientAddressFinder = (peer: string, forwardedFor: string | undefined) => string;

/** Called with the address of a peer whose `X-Forwarded-For` is ignored, since it is not a trusted proxy. */
export type IgnoredPeerListener = (peer: string) => void;

/**
 * Each proxy appends the address it was connected from, so the list is true from the right for as long as trusted proxies
 * wrote it: it is walked from there, and the first address that is not a trusted proxy's is the client. An entry that cannot
 * be read ends the walk, since whoever let it pass cannot be trusted either; the nearest address read so far counts.
 */
export function createClientAddressFinder(
  rules: ForwardingRules,
  onIgnored: IgnoredPeerListener = () => undefined,
): ClientAddressFinder {
  const proxies = buildBlockList(rules.trustedProxyCidrs);
  const isProxy = (address: string): boolean => proxies.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
  return (peer, forwardedFor) => {
    let client = parseAddress(peer) ?? peer;
    if (!rules.useXForwardedFor || forwardedFor === undefined) return client;
    if (rules.trustedProxyCidrs.length > 0 && !isProxy(client)) {
      onIgnored(client);
      return client;
    }
    for (const entry of forwardedFor.split(',').reverse()) {
      const address = parseAddress(entry.trim());
      if (address === undefined) break;
      client = address;
      if (!isProxy(address)) break;
    }
    return client;
  };
}

/**
 * An address in its plain form: without the port or brackets that some proxies add, without a zone, and IPv4 where IPv6 only
 * maps it (RFC 4291, section 2.5.5.2). Undefined when it is none.
 */
export function parseAddress(text: string): string | undefined {
  const [, bracketed] = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text) ?? [];
  const [, withPort] = /^([0-9.]+):\d{1,5}$/.exec(text) ?? [];
  const address = (bracketed ?? withPort ?? text).replace(/%.*$/, '');
  if (isIPv4(address)) return bracketed === undefined ? address : undefined;
  if (!isIPv6(address)) return undefined;
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (!mapped) return canonical;
  const [high = 0, low = 0] = mapped.slice(1).map((part) => parseInt(part, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** What counts as one client: an IPv4 address, the /64 of an IPv6 one, which a customer has at least (RFC 6177). */
export function toNetwork(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`;
}

/** Tells whether an address is that of a proxy, behind which are many clients. */
export function createProxyTest(rules: ForwardingRules): (address: string) => boolean {
  if (!rules.useXForwardedFor) return () => false;
  if (rules.trustedProxyCidrs.length === 0) return () => true;
  const proxies = buildBlockList(rules.trustedProxyCidrs);
  return (address) => proxies.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
}

function buildBlockList(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = '', prefix = ''] = cidr.split('/');
    list.addSubnet(network, Number(prefix), isIPv4(network) ? 'ipv4' : 'ipv6');
  }
  return list;
}
