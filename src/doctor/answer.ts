import type { InstanceRecord } from './records.ts';

/**
 * How an instance answers the client it was made for, on one loopback address:
 * - `itself`: over mutual TLS, and it says its own name
 * - `refused`: nobody listens
 * - `starting`: Postgres is there and takes no connections yet, or not any more
 * - `silent`: connected, and no answer in time
 * - `rejected`: TLS or Postgres refuses the very client it is for
 * - `other`: another Postgres answers
 */
export type AnswerKind = 'itself' | 'refused' | 'starting' | 'silent' | 'rejected' | 'other';

export interface Answer {
  /** Loopback address that was asked. */
  readonly host: string;
  readonly kind: AnswerKind;
  /** The code of a rejection: SQLSTATE, or what OpenSSL calls it. */
  readonly code?: string;
}

/** What asking one instance came to. */
export interface Probe {
  readonly id: number;
  readonly answers: readonly Answer[];
  /** End of the client's and of the server's certificate, whichever is first; undefined when neither was seen. */
  readonly expiresAt: Date | undefined;
  /** Whether the credentials could be opened, or read from the disk for an instance of Draupnir 5.3. */
  readonly credentials: 'open' | 'sealed otherwise' | 'unreadable';
}

/** Asks instances by real connections, several at a time. */
export interface Prober {
  probe(instances: readonly (InstanceRecord & { adoptedUid: number | undefined })[]): Promise<Probe[]>;
}
