import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { formatTime } from '../../wire.ts';
import type { TokenBody } from '../../wire.ts';
import type { AppParts } from '../app.ts';
import { sendJson } from '../answer.ts';
import { withAttributes } from '../body.ts';
import { requireVersion } from '../identity.ts';
import { registerResource } from '../resource.ts';

const NewAccessToken = Type.Object({ state: Type.String() });

/** `POST /access_tokens`: waits until the person with this state has signed in; answers a bare token object. */
export function registerAccessTokens(
  app: FastifyInstance,
  { logins, versionCheck }: Pick<AppParts, 'logins' | 'versionCheck'>,
): void {
  registerResource(app, '/access_tokens', [requireVersion(versionCheck)], {
    POST: withAttributes(NewAccessToken, async ({ state }, _request, reply) => {
      const hangUp = new AbortController();
      reply.raw.once('close', () => hangUp.abort());
      const token = await logins.wait(state, hangUp.signal);
      const body: TokenBody = {
        access_token: token.accessToken,
        token_type: 'Bearer',
        refresh_token: token.refreshToken,
        expiry: formatTime(token.expiry),
      };
      return sendJson(reply.code(201), body);
    }),
  });
}
