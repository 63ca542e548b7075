/** When a certificate is valid; both ends included (RFC 5280, section 4.1.2.5). */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Renewed when this part of the lifetime is left. */
const DUE_PART = 1 / 3;

/**
 * Whether a certificate is to be renewed at `now` (milliseconds since the epoch): a third of the lifetime or less is left,
 * or more than the lifetime and a third, or it is not valid yet. The latter two are what a clock leaves that was fast and
 * is set right, or a lifetime that was made shorter.
 */
export function isRenewalDue(validity: Validity, now: number, lifetimeMs: number): boolean {
  const leftMs = validity.notAfter.getTime() - now;
  const dueMs = lifetimeMs * DUE_PART;
  return leftMs <= dueMs || leftMs > lifetimeMs + dueMs || validity.notBefore.getTime() > now;
}
