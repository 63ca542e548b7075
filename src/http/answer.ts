import type { FastifyReply, FastifyRequest } from 'fastify';
import { VERSION, VERSION_HEADER } from '../version.ts';
import { JSON_TYPE } from '../wire.ts';
import type { HttpError } from './error-body.ts';
import { getNotes } from './request-notes.ts';

/** What a client should wait before it tries again, in seconds. */
const RETRY_AFTER_S = 5;
const JSON_WITH_CHARSET = `${JSON_TYPE}; charset=utf-8`;

/** Every answer says what it is and who gives it, errors and the empty 204 included. */
export function decorateAnswer(reply: FastifyReply): void {
  void reply.header('content-type', JSON_TYPE).header(VERSION_HEADER, VERSION);
}

/** The hook that does so. */
export function decorateAnswers(_request: FastifyRequest, reply: FastifyReply, next: () => void): void {
  decorateAnswer(reply);
  next();
}

/** Sends a document. As a text, which goes out in one piece with the headers; `keepJsonType` has to be one of the hooks. */
export function sendJson(reply: FastifyReply, document: object): FastifyReply {
  return reply.header('content-type', JSON_TYPE).send(JSON.stringify(document));
}

/** A hook on sending: to the content type of a text Fastify has added a charset, which JSON does not have (RFC 8259, section 11). */
export function keepJsonType(
  _request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: (error: null, payload: unknown) => void,
): void {
  if (reply.getHeader('content-type') === JSON_WITH_CHARSET) void reply.header('content-type', JSON_TYPE);
  done(null, payload);
}

export function sendError(reply: FastifyReply, { status, body, retryAfterS }: HttpError): FastifyReply {
  const waitS = retryAfterS ?? (status === 503 ? RETRY_AFTER_S : undefined);
  if (waitS !== undefined) void reply.header('retry-after', String(waitS));
  getNotes(reply.request).reason = body.id;
  return sendJson(reply.code(status), body);
}
