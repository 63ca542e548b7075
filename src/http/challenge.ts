import type { FastifyInstance } from 'fastify';
import type { Logins } from '../core/login.ts';

/**
 * Value of `WWW-Authenticate` (RFC 9110, section 11.6.1; RFC 6750, section 3). Our own parameter
 * `sign_in="disabled"` informs clients that no user can get a token by signing in.
 */
export function buildChallenge({ enabled }: Pick<Logins, 'enabled'>): string {
  return `Bearer realm="draupnir"${enabled ? '' : ', sign_in="disabled"'}`;
}

/** Adds the challenge to every 401. After the hooks that change the status. */
export function challengeUnauthorized(app: FastifyInstance, { logins }: { logins: Logins }): void {
  const challenge = buildChallenge(logins);
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (reply.statusCode === 401) void reply.header('www-authenticate', challenge);
    done(null, payload);
  });
}
