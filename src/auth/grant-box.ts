import type { Sealer } from '../core/instance.ts';
import type { NewSession, Session } from '../core/session.ts';
import { hashToken } from './session-token.ts';

/** Makes the record of a session: the token's hash, and the grant sealed so that it opens beside that hash alone. */
export function sealSession(sealer: Sealer, token: string, userEmail: string, grant: string): NewSession {
  const tokenHash = hashToken(token);
  return { tokenHash, userEmail, sealedGrant: sealer.seal(Buffer.from(grant), getContext(tokenHash)) };
}

/** The provider's refresh token of a session. Throws when the record was tampered with or the key is another. */
export function openGrant(sealer: Sealer, session: Pick<Session, 'tokenHash' | 'sealedGrant'>): string {
  return sealer.unseal(session.sealedGrant, getContext(session.tokenHash)).toString();
}

function getContext(tokenHash: Buffer): string {
  return `session ${tokenHash.toString('hex')} grant`;
}
