import type { FastifyInstance } from 'fastify';
import { sendJson } from '../answer.ts';
import { registerResource } from '../resource.ts';

/** `GET /health_check`: answers as long as the process serves requests; asks for no version and no token. */
export function registerHealthCheck(app: FastifyInstance): void {
  registerResource(app, '/health_check', [], {
    GET: (_request, reply) => sendJson(reply, { status: 'ok' }),
  });
}
