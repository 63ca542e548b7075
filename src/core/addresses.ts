/** An address that may connect to a port of an instance. */
export interface AllowedAddress {
  /** IPv4 or IPv6, in text form. */
  readonly address: string;
  readonly port: number;
  /** Owner of the instance. */
  readonly userEmail: string;
}

/** Addresses from which the owners of instances were seen; they go with their instance. */
export interface AddressStore {
  /** Records the address, or that it was seen again; true when it was not known. IPv4 or IPv6, in text form. */
  remember(instanceId: number, address: string): Promise<boolean>;
  /** All addresses of instances that are there or on their way, ordered by port and address. Throws rather than to leave one out. */
  listAllowed(): Promise<AllowedAddress[]>;
  /** Forgets those not seen for that long, in milliseconds. */
  forgetUnseen(ms: number): Promise<void>;
}

/** Decides from where instances are reached. */
export interface AllowList {
  /** Throws `firewall_unavailable` when nobody new could be let in now: an instance would be made in vain. */
  require(): Promise<void>;
  /** Lets an address reach an instance. Throws `firewall_unavailable`. */
  admit(instanceId: number, address: string): Promise<void>;
  /** To be called when an instance is gone: resolves when nobody is let in to its port. Never throws: what fails is taken up again. */
  withdraw(): Promise<void>;
}

/** Where whoever has the credentials may connect from anywhere: addresses are recorded, no more. */
export class AnyAddress implements AllowList {
  readonly #addresses: Pick<AddressStore, 'remember'>;

  constructor(addresses: Pick<AddressStore, 'remember'>) {
    this.#addresses = addresses;
  }

  require(): Promise<void> {
    return Promise.resolve();
  }

  async admit(instanceId: number, address: string): Promise<void> {
    await this.#addresses.remember(instanceId, address);
  }

  withdraw(): Promise<void> {
    return Promise.resolve();
  }
}
