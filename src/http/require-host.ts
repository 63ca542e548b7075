import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendError } from './answer.ts';
import { buildUnreadableError } from './error-body.ts';

/** A hook that answers 400 to a request of HTTP/1.1 without a Host (RFC 9112, section 3.2). */
export function requireHost(request: FastifyRequest, reply: FastifyReply, next: () => void): void {
  if (request.raw.httpVersion !== '1.1' || request.raw.headers.host !== undefined) next();
  else sendError(reply.header('connection', 'close'), buildUnreadableError(400));
}
