import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Authenticator, Caller } from '../core/caller.ts';
import { DomainError } from '../core/errors.ts';
import { NOBODY } from '../core/instance.ts';
import { VERSION, VERSION_HEADER } from '../version.ts';
import type { ClientAddressFinder } from './client-address.ts';
import { acceptsVersion } from './api-version.ts';
import type { VersionCheck } from './api-version.ts';
import { sendError } from './answer.ts';
import { buildVersionError } from './error-body.ts';
import { getNotes } from './request-notes.ts';
import type { StrangerLimit } from './stranger-limit.ts';

/** RFC 6750, section 2.1; the scheme's name is case-insensitive (RFC 9110, section 11.1). */
const BEARER = /^Bearer +([\x21-\x7e]+)$/i;

/** A hook that answers 400 unless the request names a version we serve. Comes before the authentication. */
export function requireVersion(check: VersionCheck) {
  return (request: FastifyRequest, reply: FastifyReply, next: () => void): void => {
    const header = request.headers[VERSION_HEADER.toLowerCase()];
    const requested = typeof header === 'string' && header !== '' ? header : undefined;
    if (requested !== undefined && acceptsVersion(check, requested, VERSION)) next();
    else sendError(reply, buildVersionError(requested, VERSION));
  };
}

/** A hook that answers 401 unless a trusted caller sends the request. Strangers are counted before anybody is asked. */
export function requireCaller(parts: { authenticator: Authenticator; strangers: StrangerLimit }) {
  const { authenticator, strangers } = parts;
  return async (request: FastifyRequest): Promise<void> => {
    const token = BEARER.exec(request.headers.authorization ?? '')?.[1];
    let caller = token === undefined ? undefined : await authenticator.identify(token, { onlyKnown: true });
    if (!caller) {
      await strangers.count(request);
      caller = token === undefined ? undefined : await authenticator.identify(token);
    }
    // Who has no name would be the owner of what was given to nobody yet.
    if (!caller || caller.email === NOBODY) throw new DomainError('unauthorized', 'no trusted token');
    getNotes(request).caller = caller;
  };
}

/** A hook for what needs no token: everybody is a stranger there. */
export function countStrangers(strangers: StrangerLimit) {
  return (request: FastifyRequest): Promise<void> => strangers.count(request);
}

/** Where the request comes from, seen through the proxies in between. Node has joined the lines of the header. */
export function getClientAddress(
  parts: { findClientAddress: ClientAddressFinder },
  request: FastifyRequest,
): string {
  const header = request.headers['x-forwarded-for'];
  return parts.findClientAddress(request.ip, Array.isArray(header) ? header.join(',') : header);
}

/** Who sent the request. Only behind `requireCaller`. */
export function getCaller(request: FastifyRequest): Caller {
  const { caller } = getNotes(request);
  if (!caller) throw new Error('the route has no authentication');
  return caller;
}
