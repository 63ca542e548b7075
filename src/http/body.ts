import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Static, TObject } from 'typebox';
import type { Route } from './resource.ts';

/**
 * Reads any body as JSON, whatever its content type says. An empty body is none: clients send a JSON content type with
 * DELETE. Keys that reach for a prototype are refused.
 */
export function readAnyBodyAsJson(app: FastifyInstance): void {
  // A content type that is none, such as `json`, would be refused before any parser is asked.
  app.addHook('onRequest', (request, _reply, next) => {
    delete request.headers['content-type'];
    next();
  });
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (request, body: string, done) => {
    // A route without a schema for its body takes none, and does not care what is sent.
    if (body === '' || request.routeOptions.schema?.body === undefined) done(null, undefined);
    else void parse(request, body, done);
  });
}

/** A route that takes a resource and is given its attributes; what does not fit is answered 400. */
export function withAttributes<T extends TObject>(
  attributes: T,
  handle: (attributes: Static<T>, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>,
): Route {
  return {
    schema: { body: Type.Object({ data: Type.Object({ attributes }) }) },
    handler: (request, reply) => {
      const body = request.body as { data: { attributes: Static<T> } };
      return handle(body.data.attributes, request, reply);
    },
  };
}
