import { isIP, isIPv4 } from 'node:net';

/** Whether the text is an IP address. A zone (`fe80::1%eth0`) is allowed. */
export function isIpAddress(text: string): boolean {
  return isIP(text) !== 0;
}

/** Whether the text is a DNS name (RFC 1123, and `_`, which people use) or an IPv4 address. No port, no final dot. */
export function isHostname(text: string): boolean {
  if (isIPv4(text)) return true;
  const labels = text.split('.');
  return (
    text.length <= 253 &&
    labels.every((label) => /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label)) &&
    // A last label of digits is a mistyped IPv4 address, not a name.
    !/^\d+$/.test(labels.at(-1) ?? '')
  );
}
