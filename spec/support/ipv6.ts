import { networkInterfaces } from 'node:os';

/** Whether this host has IPv6: a kernel can be started without it, and containers often are. */
export const HAS_IPV6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);

/** Loopback addresses, of the families that this host has. */
export const LOOPBACKS = HAS_IPV6 ? ['127.0.0.1', '::1'] : ['127.0.0.1'];
