/** Addresses from which the owner of an instance was seen; the allow list of the instance's port. */
export interface AddressStore {
  /** Records the address, or that it was seen again. IPv4 or IPv6, in text form. */
  remember(instanceId: number, address: string): Promise<void>;
}
