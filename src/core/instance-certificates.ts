import type { CertificateChain, Credentials, Instance } from './instance.ts';

/** An instance whose certificates Draupnir made. */
export type CertifiedInstance = Pick<Instance, 'id' | 'port'>;

/** The sealed credentials of instances in the metadata database; those of Draupnir 5.3 have none there. */
export interface CredentialStore {
  /** Of all instances somebody was told of, ordered by id. */
  list(): Promise<{ instance: CertifiedInstance; box: Buffer }[]>;
  /** Puts `next` in the place of `current`; false when something else stands there, or the instance is going away. */
  replace(instanceId: number, current: Buffer, next: Buffer): Promise<boolean>;
}

/** New certificates that an instance has been given, and may still lose again. */
export interface InstalledCertificates {
  /** Process id of the postmaster, which has been told to read them; undefined when it does not run. */
  readonly pid: number | undefined;
  /** Makes them stay. With `endSessions`, all sessions over the network end that were opened before. */
  keep(options: { endSessions: boolean }): Promise<void>;
  /** Brings back what was there before. */
  undo(): Promise<void>;
}

/** The certificates of instances on disk. */
export interface CertificateStorage {
  /** Nothing has changed when it throws. */
  installCertificates(instanceId: number, chain: CertificateChain): Promise<InstalledCertificates>;
}

/**
 * What a client with an instance's credentials meets:
 * - `admitted`: this instance, and by mutual TLS alone
 * - `mismatched`: other certificates, on one side or the other
 * - `unreachable`: nobody, or a Postgres that takes no connections now
 */
export type Reception = 'admitted' | 'mismatched' | 'unreachable';

/** Proofs by real connections. */
export interface CertificateProof {
  /**
   * Waits until the instance serves the new certificates and takes the new client; with `retired`, proves that this client
   * is refused. Throws when any of it does not hold in time.
   */
  proveInstalled(instance: CertifiedInstance, chain: CertificateChain, retired?: Credentials): Promise<void>;
  /** Throws when the instance admits somebody it must not. */
  check(instance: CertifiedInstance, credentials: Credentials): Promise<Reception>;
}
