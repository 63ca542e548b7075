import { isIPv6 } from 'node:net';
import type { AllowedAddress } from '../core/addresses.ts';

/** A comment of iptables has at most 255 bytes, `user: ` included (iptables-extensions(8), comment). */
const USER_LIMIT = 200;

/** What `draupnir-apply-firewall` reads: how many rules there are, the rules, and an end, without which it does nothing. */
export function buildWhitelistInput(rules: readonly AllowedAddress[]): string {
  const lines = rules.map(
    ({ address, port, userEmail }) => `${simplify(address)} ${port} ${neutralise(userEmail)}\n`,
  );
  return `rules ${lines.length}\n${lines.join('')}end\n`;
}

/**
 * The owner as a comment shows it: for the reader of the rules alone, so what is not common in an address becomes `_`, and the
 * rest of a long one is left out.
 */
function neutralise(userEmail: string): string {
  return userEmail.replaceAll(/[^A-Za-z0-9._+@-]/g, '_').slice(0, USER_LIMIT) || '_';
}

/** Where IPv6 only maps IPv4 (RFC 4291, section 2.5.5.2), packets have the IPv4 address. Postgres keeps both forms. */
function simplify(address: string): string {
  const [, mapped] = /^::ffff:([0-9.]+)$/i.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  return isIPv6(address) ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address;
}
