import { createHash, randomBytes } from 'node:crypto';

const PREFIX = 'drp_';
/** 256 bits. */
const TOKEN_BYTES = 32;

/** A new token for a client: our prefix, by which leaked ones can be found, and 43 random characters. */
export function createSessionToken(): string {
  return PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
}

/** Whether a token is one of ours, known or not: such a one is never shown to the provider. */
export function isSessionToken(token: string): boolean {
  return token.startsWith(PREFIX);
}

/** SHA-256: a random token needs no slow hash. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
