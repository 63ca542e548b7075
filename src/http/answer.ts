import type { FastifyReply } from 'fastify';
import { VERSION, VERSION_HEADER } from '../version.ts';
import { JSON_TYPE } from '../wire.ts';
import type { HttpError } from './error-body.ts';
import { getNotes } from './request-notes.ts';

/** What a client should wait before it tries again, in seconds. */
const RETRY_AFTER_S = 5;

/** Every answer says what it is and who gives it, errors and the empty 204 included. */
export function decorateAnswer(reply: FastifyReply): void {
  void reply.header('content-type', JSON_TYPE).header(VERSION_HEADER, VERSION);
}

/** Sends a document. As bytes: to the content type of a text Fastify would add a charset. */
export function sendJson(reply: FastifyReply, document: object): FastifyReply {
  return reply.header('content-type', JSON_TYPE).send(Buffer.from(JSON.stringify(document)));
}

export function sendError(reply: FastifyReply, { status, body, retryAfterS }: HttpError): FastifyReply {
  const waitS = retryAfterS ?? (status === 503 ? RETRY_AFTER_S : undefined);
  if (waitS !== undefined) void reply.header('retry-after', String(waitS));
  getNotes(reply.request).reason = body.id;
  return sendJson(reply.code(status), body);
}
