import type { AuditMeans } from './audit-log.ts';
import type { Instance } from './instance.ts';
import { NOBODY } from './instance.ts';

/** Who sends a request. */
export interface Caller {
  /** The upload user holds the shared secret; a developer is known by a verified e-mail address. */
  readonly role: 'upload' | 'developer';
  /** Owner of the instances the caller creates: an e-mail address, or `upload`. */
  readonly email: string;
  /** The session the caller came with, if any: what the caller creates goes when all grants of the owner are gone. */
  readonly sessionId?: number;
  /** By what the caller was recognised. */
  readonly means?: AuditMeans;
}

/** Name under which the upload user owns things (contract: HTTP API, "Authentication"). */
export const UPLOAD_USER = 'upload';

/** Whether an instance is the caller's own. What has no owner is nobody's, whatever a caller calls himself. */
export function owns({ email }: Pick<Caller, 'email'>, { userEmail }: Pick<Instance, 'userEmail'>): boolean {
  return email !== NOBODY && userEmail === email;
}

/** Recognises a bearer token. */
export interface Authenticator {
  /**
   * The caller behind the token, or undefined when nobody trusted is. Throws `identity_provider_unavailable` when that
   * cannot be told now. With `onlyKnown` nobody else is asked about a token that was never seen here: it is nobody's.
   */
  identify(token: string, options?: { onlyKnown?: boolean }): Promise<Caller | undefined>;
}
