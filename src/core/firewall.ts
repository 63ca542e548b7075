import type { AllowedAddress } from './addresses.ts';

/** The packet filter of this host. Every method may be called again at any time, and throws `firewall_unavailable`. */
export interface Firewall {
  /** Lets exactly these connect to the instances' ports, all at once; resolves to whether anything was not so already. */
  allow(rules: readonly AllowedAddress[]): Promise<boolean>;
  /** Lets instances and images under preparation connect to nowhere; resolves to whether anything was not so already. */
  blockEgress(): Promise<boolean>;
}
