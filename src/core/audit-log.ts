/**
 * By what somebody was recognised: the shared secret, a token of ours, a refresh token of the provider, the token of test
 * environments, a sign-in at the browser; `none` for nobody, `cleaner` for the server's own doing.
 */
export type AuditMeans =
  'shared_secret' | 'session' | 'google_token' | 'test_token' | 'sign_in' | 'none' | 'cleaner';

/** Nobody that is known. */
export const ANONYMOUS = 'anonymous';
/** The server itself. */
export const SERVER = 'draupnir';

/** One attempt, and what came of it. No secrets, no row data, no query strings. */
export interface AuditEntry {
  /** An e-mail address, `upload`, `anonymous` or `draupnir`. */
  readonly user: string;
  readonly means: AuditMeans;
  /** The client's, as seen through trusted proxies; absent for the server's own doing. */
  readonly address?: string;
  /** The same as in the request log. */
  readonly requestId?: string;
  /** `instance.create`, or `METHOD /route` for what has no name of its own. */
  readonly action: string;
  /** What it was done to: `instances/7`; several are separated by spaces. */
  readonly object?: string;
  /** Whose it is, where that is somebody else. */
  readonly owner?: string;
  readonly outcome: 'done' | 'refused' | 'failed';
  /** HTTP status of the answer. */
  readonly status?: number;
  /** Id of the error. */
  readonly reason?: string;
}

/** Who attempted what. */
export interface AuditLog {
  /** Resolves when the entry is written; throws when it cannot be. */
  write(entry: AuditEntry): Promise<void>;
  /** To be asked before something is done that needs an entry. Throws `audit_log_unavailable` while none can be written. */
  requireWritable(): Promise<void>;
}
