import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ANONYMOUS, type AuditEntry, type AuditLog } from '../core/audit-log.ts';
import type { ErrorReporter } from '../core/error-reporter.ts';
import { DomainError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { findAction, findAttempt, type RoutedRequest } from './audit-action.ts';
import type { ClientAddressFinder } from './client-address.ts';
import { toHttpError } from './error-body.ts';
import { getClientAddress } from './identity.ts';
import { reportRequest } from './report-request.ts';
import { getNotes } from './request-notes.ts';
import { parseId } from './resource-id.ts';

/**
 * Enters every attempt into the audit log before its answer is sent: an answer that somebody has got is in the log,
 * whatever happens to the server. Nothing that needs an entry is done while none can be written.
 */
export function auditRequests(
  app: FastifyInstance,
  parts: {
    audit: AuditLog;
    log: Log;
    errors?: ErrorReporter | undefined;
    findClientAddress: ClientAddressFinder;
  },
): void {
  // By callback, and at once where there is nothing to wait for: most requests need no entry.
  app.addHook('onRequest', (request, _reply, done) => {
    if (findAttempt(describeRoute(request)) === undefined) done();
    else parts.audit.requireWritable().then(() => done(), done);
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    const routed = describeRoute(request);
    const action = findAction(routed, reply.statusCode);
    // One for the first of a minute: what a flood writes must not fill the disk.
    if (action === undefined || getNotes(request).repeated === true) done(null, payload);
    else enter(request, reply, payload, action).then((sent) => done(null, sent), done);
  });

  async function enter(
    request: FastifyRequest,
    reply: FastifyReply,
    payload: unknown,
    action: string,
  ): Promise<unknown> {
    try {
      await parts.audit.write(describe(request, reply, action, getClientAddress(parts, request)));
      return payload;
    } catch (error) {
      parts.log.error({ requestId: request.id, action, err: error }, 'cannot write the audit log');
      // What was only refused may be told. What was done is not: credentials go to nobody without an entry.
      if (reply.statusCode >= 400) return payload;
      const reason = 'this was done, but cannot be entered into the audit log; look again later';
      const { status, body } = toHttpError(new DomainError('audit_log_unavailable', reason));
      reportRequest(parts.errors, error, request, { status, body });
      void reply.code(status).header('retry-after', RETRY_AFTER_S);
      return JSON.stringify(body);
    }
  }
}

/** Seconds. */
const RETRY_AFTER_S = '60';

/** Notes what a request has made. */
export function noteObject(request: FastifyRequest, object: string): void {
  getNotes(request).object = object;
}

/** Notes who has signed in, or tried to, by a request; an address that could be anything else is left out. */
export function noteSignIn(request: FastifyRequest, email: string | undefined): void {
  if (email !== undefined && /^[\x21-\x7e]{1,320}$/.test(email)) getNotes(request).signedIn = email;
}

function describeRoute(request: FastifyRequest): RoutedRequest {
  return { method: request.method, route: request.is404 ? undefined : request.routeOptions.url };
}

function describe(request: FastifyRequest, reply: FastifyReply, action: string, address: string): AuditEntry {
  const { caller, signedIn, object = findObject(request), reason } = getNotes(request);
  const status = reply.statusCode;
  return {
    user: caller?.email ?? signedIn ?? ANONYMOUS,
    means: caller ? (caller.means ?? 'none') : signedIn === undefined ? 'none' : 'sign_in',
    address,
    requestId: request.id,
    action,
    ...(object !== undefined && { object }),
    outcome: status < 400 ? 'done' : status < 500 ? 'refused' : 'failed',
    status,
    ...(reason !== undefined && { reason }),
  };
}

/** What the path names, such as `instances/7`; nothing where the id cannot be one. */
function findObject(request: FastifyRequest): string | undefined {
  const id = parseId((request.params as { id?: unknown } | undefined)?.id);
  const type = request.routeOptions.url?.split('/')[1];
  return id === undefined || type === undefined ? undefined : `${type}/${id}`;
}
