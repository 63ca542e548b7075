import type { FastifyInstance } from 'fastify';
import { decorateAnswers, keepJsonType, sendJson } from '../answer.ts';
import { requireHost } from '../require-host.ts';
import { refuseOtherMethods } from '../resource.ts';

const URL_PATH = '/health_check';

/**
 * `GET /health_check`: answers as long as the process serves requests; asks for no version and no token. It is to be registered
 * outside of the hooks that all other routes have: whoever watches a server asks every second, and there is nothing to
 * keep of it, refusals included.
 */
export function registerHealthCheck(app: FastifyInstance): void {
  app.route({
    method: 'GET',
    url: URL_PATH,
    onRequest: [decorateAnswers, requireHost],
    onSend: keepJsonType,
    handler: (_request, reply) => sendJson(reply, { status: 'ok' }),
  });
}

/** All other methods, which are refused as they are everywhere. */
export function refuseOnHealthCheck(app: FastifyInstance): void {
  refuseOtherMethods(app, URL_PATH, ['GET', 'HEAD']);
}
