import { isIPv4, isIPv6 } from 'node:net';

/**
 * Whether the text is an IPv4 or IPv6 network such as `10.32.0.0/16` or `2001:db8::/32`. As in Go's `net.ParseCIDR`,
 * bits behind the prefix may be set, the prefix length is required, and an IPv6 zone is not allowed.
 */
export function isCidr(text: string): boolean {
  const match = /^([^/%]+)\/(\d{1,3})$/.exec(text);
  const [, address = '', length = ''] = match ?? [];
  if (isIPv4(address)) return Number(length) <= 32;
  if (isIPv6(address)) return Number(length) <= 128;
  return false;
}
