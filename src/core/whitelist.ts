import type { AddressStore, AllowedAddress, AllowList } from './addresses.ts';
import { CoalescedRun } from './coalesced-run.ts';
import { Condition } from './condition.ts';
import type { Firewall } from './firewall.ts';
import type { PortRange } from './instance.ts';
import type { Log } from './log.ts';
import type { PartState } from './readiness.ts';

export interface WhitelistParts {
  addresses: AddressStore;
  firewall: Pick<Firewall, 'allow'>;
  log: Log;
  /** The ports that the firewall closes. */
  portRange: PortRange;
  /** How long an address stays that is not seen again, in milliseconds; as long as its instance if absent. */
  addressTtlMs?: number;
}

/**
 * Keeps the firewall equal to the recorded addresses. Every change and every round writes the whole set, so whatever was missed
 * or meddled with is right again afterwards; many changes at once share one transaction. A set that cannot be read changes nothing.
 */
export class Whitelist implements AllowList {
  readonly #parts: WhitelistParts;
  readonly #condition: Condition;
  readonly #transaction = new CoalescedRun(() => this.#condition.try(() => this.#transact()));
  /** Addresses that are being recorded. */
  #recording = 0;
  /** The last set that was written. */
  #written: string | undefined;
  #outside = '';

  constructor(parts: WhitelistParts) {
    this.#parts = parts;
    this.#condition = new Condition('firewall', parts.log);
  }

  /** Makes the firewall right, by a transaction that begins after the call. */
  apply(): Promise<void> {
    return this.#transaction.run();
  }

  async require(): Promise<void> {
    if (!this.#condition.isWorking) await this.apply();
  }

  async admit(instanceId: number, address: string): Promise<void> {
    this.#recording++;
    const added = await this.#parts.addresses.remember(instanceId, address).finally(() => this.#recording--);
    // An address that is known has its rule, unless whoever recorded it is not yet through with that.
    const settled = this.#recording === 0 && !this.#transaction.busy && this.#condition.isWorking;
    if (added || !settled) await this.apply();
  }

  async withdraw(): Promise<void> {
    // The condition has logged it. The rule leads to a port where nobody listens, and nobody gets that port before it is gone.
    await this.apply().catch(() => undefined);
  }

  /** For the readiness of the server. */
  getState(): PartState {
    if (this.#condition.isWorking) return { status: 'ok' };
    return { status: 'failing', detail: 'the rules cannot be applied: see the log' };
  }

  async #transact(): Promise<void> {
    const { addresses, firewall, addressTtlMs, log } = this.#parts;
    // Forgotten first: what is in the table afterwards is what is let in.
    if (addressTtlMs !== undefined) await addresses.forgetUnseen(addressTtlMs);
    const rules = this.#select(await addresses.listAllowed());
    const changed = await firewall.allow(rules);
    const set = JSON.stringify(rules);
    if (changed && set === this.#written) log.warn({}, 'firewall rules were changed by others; put right');
    this.#written = set;
  }

  /** Ports that instances got under an earlier configuration are not closed, and not ours to open. */
  #select(all: AllowedAddress[]): AllowedAddress[] {
    const { min, max } = this.#parts.portRange;
    const isOutside = ({ port }: AllowedAddress): boolean => port < min || port >= max;
    const ports = [...new Set(all.filter(isOutside).map(({ port }) => port))];
    if (ports.length > 0 && ports.join() !== this.#outside) {
      const hint = 'widen the range, or destroy these instances';
      this.#parts.log.warn({ ports, hint }, 'the firewall does not guard ports outside the range');
    }
    this.#outside = ports.join();
    return all.filter((rule) => !isOutside(rule));
  }
}
