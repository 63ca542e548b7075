import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { formatTime } from '../../wire.ts';
import type { TokenBody } from '../../wire.ts';
import type { RouteParts } from '../app.ts';
import { sendJson } from '../answer.ts';
import { noteSignIn } from '../audit.ts';
import { withAttributes } from '../body.ts';
import { buildChallenge } from '../challenge.ts';
import { countStrangers, requireVersion } from '../identity.ts';
import { registerResource } from '../resource.ts';

const NewAccessToken = Type.Object({ state: Type.String() });

/** `POST /access_tokens`: waits until the person with this state has signed in; answers a bare token object. */
export function registerAccessTokens(
  app: FastifyInstance,
  { logins, versionCheck, strangers }: Pick<RouteParts, 'logins' | 'versionCheck' | 'strangers'>,
): void {
  registerResource(app, '/access_tokens', [countStrangers(strangers), requireVersion(versionCheck)], {
    POST: withAttributes(NewAccessToken, async ({ state }, request, reply) => {
      if (!logins.enabled) void reply.header('www-authenticate', buildChallenge(logins));
      const hangUp = new AbortController();
      reply.raw.once('close', () => hangUp.abort());
      const token = await logins.wait(state, hangUp.signal);
      noteSignIn(request, token.email);
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
