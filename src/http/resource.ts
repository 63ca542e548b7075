import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifySchema,
  onRequestAsyncHookHandler,
  onRequestHookHandler,
} from 'fastify';
import { sendError } from './answer.ts';
import { buildError } from './error-body.ts';

export interface Route {
  schema?: FastifySchema;
  handler: (request: FastifyRequest, reply: FastifyReply) => FastifyReply | Promise<FastifyReply>;
}
export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
export type Guard = onRequestHookHandler | onRequestAsyncHookHandler;

/** Every other method there is gets 405 on a known path. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];

/** Registers the methods of one path behind its guards, and a 405 for the others. */
export function registerResource(
  app: FastifyInstance,
  url: string,
  guards: Guard[],
  routes: Partial<Record<Method, Route['handler'] | Route>>,
): void {
  const allowed = Object.keys(routes).flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  for (const [method, route] of Object.entries(routes)) {
    const { schema = {}, handler } = typeof route === 'function' ? { handler: route } : route;
    app.route({ method, url, onRequest: guards, schema, handler });
  }
  refuseOtherMethods(app, url, allowed);
}

/** A 405 with `Allow` (RFC 9110, section 15.5.6) for the methods that a path does not have. */
export function refuseOtherMethods(app: FastifyInstance, url: string, allowed: readonly string[]): void {
  app.route({
    method: METHODS.filter((method) => !allowed.includes(method)),
    url,
    handler: (_request, reply) => {
      void reply.header('allow', allowed.join(', '));
      return sendError(reply, buildError('method_not_allowed', `allowed here: ${allowed.join(', ')}`));
    },
  });
}
