/** Somebody has signed in: one grant of the identity provider, known to the client by a token of ours. */
export interface Session {
  readonly id: number;
  /** SHA-256 of the client's token. */
  readonly tokenHash: Buffer;
  /** Who signed in, as the provider said then. */
  readonly userEmail: string;
  /** The provider's refresh token, sealed for this hash. */
  readonly sealedGrant: Buffer;
  /** Since when the provider has been refusing the grant for good. */
  readonly revokedAt: Date | undefined;
}

/** What a session is made of. */
export type NewSession = Pick<Session, 'tokenHash' | 'userEmail' | 'sealedGrant'>;

/** Sessions in the metadata database, as signing in and identification need them. */
export interface SessionStore {
  /** Makes a session and resolves to its id; the existing one's when the hash is known. */
  insert(session: NewSession): Promise<number>;
  /** The session of a token, which counts as used by that. */
  findByTokenHash(tokenHash: Buffer): Promise<Session | undefined>;
}

/** A grant that the original kept in clear beside its instances. */
export interface OriginalGrant {
  readonly userEmail: string;
  readonly refreshToken: string;
}

/** Sessions in the metadata database, as the cleaner needs them. */
export interface OwnedSessionStore {
  /** Owners of instances, without the upload user. */
  listOwners(): Promise<string[]>;
  /** Grants of instances that have no session yet. */
  listOriginalGrants(): Promise<OriginalGrant[]>;
  /** Gives those instances the session that stands for their grant. */
  assign(grant: OriginalGrant, sessionId: number): Promise<void>;
  /** All sessions of an owner: under that address, or that an instance of theirs was created with. Ordered by id. */
  listByOwner(userEmail: string): Promise<Session[]>;
  /** Marks sessions as revoked since `since`; an earlier mark stays. */
  markRevoked(ids: readonly number[], since: Date): Promise<void>;
  clearRevoked(ids: readonly number[]): Promise<void>;
  /** Removes sessions; their instances go over to the session `heir`. */
  replace(ids: readonly number[], heir: number): Promise<void>;
  /** Removes the sessions of someone who is gone, unless an instance of theirs is left. */
  deleteOf(userEmail: string, ids: readonly number[]): Promise<void>;
  /** Removes sessions that nobody has used since and whose owner has no instances; resolves to their number. */
  deleteUnusedSince(time: Date): Promise<number>;
}

/**
 * - `valid`: the grant is good
 * - `revoked`: the provider refuses it for good: the person has left, is suspended, or took it back
 * - `unknown`: anything else; nothing may follow from it
 */
export type GrantState = 'valid' | 'revoked' | 'unknown';

/** Asks the identity provider about grants. Never throws because of the provider. */
export interface GrantChecker {
  check(session: Session): Promise<GrantState>;
  /** Makes a session of a grant that the original kept; resolves to its id. */
  adopt(grant: OriginalGrant): Promise<number>;
}
