import type { FastifyInstance } from 'fastify';
import type { Readiness } from '../../core/readiness.ts';
import { sendJson } from '../answer.ts';
import { registerResource } from '../resource.ts';

/** `GET /ready`: whether the server can do its work, for load balancers and monitors; asks for no version and no token. */
export function registerReady(app: FastifyInstance, { readiness }: { readiness: Readiness }): void {
  registerResource(app, '/ready', [], {
    GET: async (_request, reply) => {
      const { ready, parts } = await readiness.check();
      const status = ready ? 'ok' : 'unavailable';
      const document = Object.keys(parts).length === 0 ? { status } : { status, parts };
      return sendJson(reply.code(ready ? 200 : 503), document);
    },
  });
}
