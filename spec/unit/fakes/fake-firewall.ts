import type { AddressStore, AllowedAddress } from '../../../src/core/addresses.ts';
import { DomainError } from '../../../src/core/errors.ts';
import type { Firewall } from '../../../src/core/firewall.ts';
import type { Steps } from './steps.ts';

/** A firewall in memory. Steps: `firewall.<method>`. */
export class FakeFirewall implements Firewall {
  rules: readonly AllowedAddress[] = [];
  egressBlocked = false;
  /** As long as it is set, nothing can be changed. */
  locked = false;
  readonly #steps: Steps;

  constructor(steps: Steps) {
    this.#steps = steps;
  }

  allow(rules: readonly AllowedAddress[]): Promise<boolean> {
    return this.#steps.run('firewall.allow', () => {
      this.#requireUnlocked();
      const changed = JSON.stringify(rules) !== JSON.stringify(this.rules);
      this.rules = rules;
      return changed;
    });
  }

  blockEgress(): Promise<boolean> {
    return this.#steps.run('firewall.blockEgress', () => {
      this.#requireUnlocked();
      const changed = !this.egressBlocked;
      this.egressBlocked = true;
      return changed;
    });
  }

  #requireUnlocked(): void {
    if (this.locked) throw new DomainError('firewall_unavailable', 'the firewall cannot be changed');
  }
}

/** Addresses in memory; instance N has port 6000 + N. Steps: `addresses.<method>`. */
export class FakeAddressStore implements AddressStore {
  readonly rows = new Map<string, AllowedAddress>();
  readonly forgotten: number[] = [];
  readonly #steps: Steps;

  constructor(steps: Steps) {
    this.#steps = steps;
  }

  remember(instanceId: number, address: string): Promise<boolean> {
    return this.#steps.run('addresses.remember', () => {
      const key = `${instanceId} ${address}`;
      const added = !this.rows.has(key);
      this.rows.set(key, { address, port: 6000 + instanceId, userEmail: 'ada@example.com' });
      return added;
    });
  }

  listAllowed(): Promise<AllowedAddress[]> {
    return this.#steps.run('addresses.listAllowed', () => [...this.rows.values()]);
  }

  forgetUnseen(ms: number): Promise<void> {
    return this.#steps.run('addresses.forgetUnseen', () => void this.forgotten.push(ms));
  }
}
