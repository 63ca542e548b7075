/** Longest state taken. */
const MAX_LENGTH = 256;
const MIN_LENGTH = 16;
/** A random text of 16 characters with fewer different ones is next to impossible, also in hexadecimal. */
const MIN_DISTINCT = 6;

/** Unreserved characters of a URL (RFC 3986, section 2.3). */
const UNRESERVED = /^[A-Za-z0-9._~-]+$/;

/** What the original's client sends: a random number below 2^31. */
const ORIGINAL = /^(0|[1-9][0-9]{0,9})$/;

/**
 * Whether a client's state can be taken for unguessable. Whoever guesses one can wait for its token in the client's place.
 * `acceptShort` takes the original client's as well.
 */
export function isStrongState(state: string, acceptShort = false): boolean {
  if (acceptShort && ORIGINAL.test(state)) return true;
  return (
    state.length >= MIN_LENGTH &&
    state.length <= MAX_LENGTH &&
    UNRESERVED.test(state) &&
    new Set(state).size >= MIN_DISTINCT
  );
}
