import type { FastifyInstance } from 'fastify';
import { LoginFailure } from '../../core/login.ts';
import type { RouteParts } from '../app.ts';
import { noteSignIn } from '../audit.ts';
import { sendLoginFailure, sendSignedInPage } from '../login-page.ts';
import { countStrangers } from '../identity.ts';
import { getQueryText } from '../query.ts';
import { registerResource } from '../resource.ts';

/** `GET /oauth_callback?state=S&code=C`, or `&error=E`: where the provider sends the browser back to. */
export function registerOauthCallback(
  app: FastifyInstance,
  { logins, strangers }: Pick<RouteParts, 'logins' | 'strangers'>,
): void {
  registerResource(app, '/oauth_callback', [countStrangers(strangers)], {
    GET: async (request, reply) => {
      try {
        // A scanner's look at the link must not use up the code.
        if (request.method === 'HEAD') throw new LoginFailure('malformed');
        const email = await logins.complete({
          state: getQueryText(request, 'state'),
          code: getQueryText(request, 'code'),
          error: getQueryText(request, 'error'),
        });
        noteSignIn(request, email);
      } catch (error) {
        return sendLoginFailure(reply, error);
      }
      return sendSignedInPage(reply);
    },
  });
}
