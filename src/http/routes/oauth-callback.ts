import type { FastifyInstance } from 'fastify';
import { LoginFailure } from '../../core/login.ts';
import type { AppParts } from '../app.ts';
import { sendLoginFailure, sendSignedInPage } from '../login-page.ts';
import { getQueryText } from '../query.ts';
import { registerResource } from '../resource.ts';

/** `GET /oauth_callback?state=S&code=C`, or `&error=E`: where the provider sends the browser back to. */
export function registerOauthCallback(app: FastifyInstance, { logins }: Pick<AppParts, 'logins'>): void {
  registerResource(app, '/oauth_callback', [], {
    GET: async (request, reply) => {
      try {
        // A scanner's look at the link must not use up the code.
        if (request.method === 'HEAD') throw new LoginFailure('malformed');
        await logins.complete({
          state: getQueryText(request, 'state'),
          code: getQueryText(request, 'code'),
          error: getQueryText(request, 'error'),
        });
      } catch (error) {
        return sendLoginFailure(reply, error);
      }
      return sendSignedInPage(reply);
    },
  });
}
