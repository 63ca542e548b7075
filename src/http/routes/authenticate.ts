import type { FastifyInstance } from 'fastify';
import type { RouteParts } from '../app.ts';
import { sendLoginFailure } from '../login-page.ts';
import { decorateForBrowser } from '../page.ts';
import { countStrangers } from '../identity.ts';
import { getQueryText } from '../query.ts';
import { registerResource } from '../resource.ts';

/** `GET /authenticate?state=S`: where the client sends the browser; goes on to the consent page. */
export function registerAuthenticate(
  app: FastifyInstance,
  { logins, strangers }: Pick<RouteParts, 'logins' | 'strangers'>,
): void {
  registerResource(app, '/authenticate', [countStrangers(strangers)], {
    GET: async (request, reply) => {
      try {
        const url = await logins.begin(getQueryText(request, 'state'));
        return await decorateForBrowser(reply).redirect(url, 302);
      } catch (error) {
        return sendLoginFailure(reply, error);
      }
    },
  });
}
