/**
 * What can go wrong in the domain. `http/` maps each kind to a status; nothing else may depend on message text.
 */
export type ErrorKind =
  | 'not_found'
  | 'image_not_found'
  | 'image_not_ready'
  | 'image_has_instances'
  | 'invalid_image_id'
  | 'malformed_body'
  | 'invalid_script'
  | 'unknown_field'
  | 'unauthorized'
  | 'forbidden'
  | 'finalise_failed'
  | 'finalise_interrupted'
  | 'image_busy'
  | 'instance_failed'
  | 'not_replaceable'
  | 'no_free_port'
  | 'firewall_unavailable'
  | 'id_occupied'
  | 'shutting_down'
  | 'too_busy'
  | 'insufficient_disk'
  | 'storage_unavailable'
  | 'database_unavailable'
  | 'identity_provider_unavailable'
  | 'oauth_error'
  | 'sign_in_disabled'
  | 'too_many_logins'
  | 'audit_log_unavailable';

/** The kind of a recorded failure; `internal` for anything unforeseen. */
export type FailureKind = ErrorKind | 'internal';

/** An expected failure with a reason that may be shown to the caller: lower case, no row data, no secrets. */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}
