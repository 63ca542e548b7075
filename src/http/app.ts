import { randomUUID } from 'node:crypto';
import type { ServerOptions } from 'node:https';
import { finished } from 'node:stream/promises';
import fastify from 'fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AuditLog } from '../core/audit-log.ts';
import type { Authenticator } from '../core/caller.ts';
import type { ErrorReporter } from '../core/error-reporter.ts';
import { DomainError } from '../core/errors.ts';
import type { Images } from '../core/images.ts';
import type { InstanceCredentials } from '../core/instance-credentials.ts';
import type { Instances } from '../core/instances.ts';
import type { Log } from '../core/log.ts';
import type { Meter } from '../core/meter.ts';
import type { Logins } from '../core/login.ts';
import type { Readiness } from '../core/readiness.ts';
import { decorateAnswer, decorateAnswers, keepJsonType, sendError } from './answer.ts';
import type { VersionCheck } from './api-version.ts';
import { auditRequests } from './audit.ts';
import { challengeUnauthorized } from './challenge.ts';
import type { ClientAddressFinder } from './client-address.ts';
import { readAnyBodyAsJson } from './body.ts';
import { buildError, buildTooManyError, TooManyRequests, toHttpError } from './error-body.ts';
import type { HttpError } from './error-body.ts';
import { getClientAddress } from './identity.ts';
import type { HttpLimits } from './limits.ts';
import { buildServerOptions, guardServer } from './node-server.ts';
import { requireHost } from './require-host.ts';
import { registerAccessTokens } from './routes/access-tokens.ts';
import { registerAuthenticate } from './routes/authenticate.ts';
import { refuseOnHealthCheck, registerHealthCheck } from './routes/health-check.ts';
import { registerImages } from './routes/images.ts';
import { registerInstanceCredentials } from './routes/instance-credentials.ts';
import { registerInstances } from './routes/instances.ts';
import { registerOauthCallback } from './routes/oauth-callback.ts';
import { registerReady } from './routes/ready.ts';
import { reportRequest } from './report-request.ts';
import { limitStrangers } from './stranger-limit.ts';
import type { StrangerLimit } from './stranger-limit.ts';
import { answerUnreadable } from './unreadable-request.ts';

/** Largest request body, in bytes: an anonymisation script may be long. */
const BODY_LIMIT = 4 * 1024 * 1024;
/** Longer than the idle time-outs of common proxies, so that the proxy is the one to close. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;

export interface AppParts {
  images: Images;
  instances: Instances;
  credentials: InstanceCredentials;
  authenticator: Authenticator;
  logins: Logins;
  readiness: Readiness;
  audit: AuditLog;
  log: Log;
  meter?: Meter;
  /** Gets the errors that are answered with a 5xx status. */
  errors?: ErrorReporter | undefined;
  limits: HttpLimits;
  versionCheck: VersionCheck;
  /** Tells who is behind a proxy. */
  findClientAddress: ClientAddressFinder;
  /** Whether many clients are behind an address. */
  isProxy: (address: string) => boolean;
  /** Name that instances are reached by. */
  publicHostname: string;
}

/** What routes are given. */
export interface RouteParts extends AppParts {
  strangers: StrangerLimit;
}

/** Builds the API for one listener; it does not listen yet. With `tls` it speaks HTTPS. */
export function buildApp(parts: AppParts, tls?: ServerOptions): FastifyInstance {
  const options = {
    logger: false,
    bodyLimit: BODY_LIMIT,
    requestTimeout: parts.limits.requestTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    forceCloseConnections: 'idle' as const,
    return503OnClosing: false,
    genReqId: () => randomUUID(),
    // To check our schemas, Ajv compiles the schema of schemas: most of the time that it takes to build an app.
    ajv: {
      customOptions: { coerceTypes: false as const, removeAdditional: false as const, validateSchema: false },
    },
    clientErrorHandler: answerUnreadable,
    // A path that cannot be decoded, or with an id that is far too long, names nothing. No hooks run for it.
    frameworkErrors: (_error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      decorateAnswer(reply);
      const { status, body } = buildError('not_found');
      // As bytes: without hooks, a charset would stay.
      void reply.code(status).send(Buffer.from(JSON.stringify(body)));
      logRequest(parts, request, reply);
    },
  };
  const server = buildServerOptions(parts.limits, tls);
  // The two kinds of server differ in type only; routes do not care.
  const app = tls
    ? (fastify({ ...options, https: server }) as unknown as FastifyInstance)
    : fastify({ ...options, http: server });
  const connections = guardServer(app.server, parts.limits, parts.isProxy);
  app.addHook('preClose', (done) => {
    connections.stop();
    done();
  });

  app.setErrorHandler<FastifyError>(async (error, request, reply) => {
    const answer = classify(error, request, parts.log);
    if (answer.status >= 500) reportRequest(parts.errors, error, request, answer);
    if (answer.status === 413) await receiveRest(request, reply);
    return sendError(reply, answer);
  });
  registerHealthCheck(app);
  void app.register((api, _options, done) => {
    registerApi(api, parts);
    done();
  });
  return app;
}

/** All but the health check: what is done for each of their requests, and the routes. */
function registerApi(app: FastifyInstance, parts: AppParts): void {
  readAnyBodyAsJson(app);
  app.addHook('onRequest', decorateAnswers);
  app.addHook('onRequest', requireHost);
  app.addHook('onSend', keepJsonType);
  const strangers = limitStrangers(app, parts);
  challengeUnauthorized(app, parts);
  auditRequests(app, parts);
  app.addHook('onResponse', (request, reply, next) => {
    logRequest(parts, request, reply);
    const { method, routeOptions } = request;
    const { elapsedTime, statusCode: status } = reply;
    parts.meter?.requestAnswered(elapsedTime, { method, route: routeOptions.url, status });
    next();
  });
  app.setNotFoundHandler((_request, reply) => sendError(reply, buildError('not_found')));

  const routeParts = { ...parts, strangers };
  refuseOnHealthCheck(app);
  registerReady(app, parts);
  registerAuthenticate(app, routeParts);
  registerOauthCallback(app, routeParts);
  registerAccessTokens(app, routeParts);
  registerImages(app, routeParts);
  registerInstances(app, routeParts);
  registerInstanceCredentials(app, routeParts);
}

/**
 * A client looks for the answer when it has sent its body: if the connection were closed before, by Fastify or because the
 * client wants it closed after the answer, most would report a broken one instead. What comes is thrown away, for as long as
 * a request may take.
 */
async function receiveRest(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  void reply.removeHeader('connection');
  // Rejects when the client hangs up: then nobody waits for the answer.
  await finished(request.raw.resume()).catch(() => undefined);
}

/** Domain errors and bad requests become their shapes; all else is logged with its cause, and never shown. */
function classify(
  error: FastifyError | DomainError | TooManyRequests,
  request: FastifyRequest,
  log: Log,
): HttpError {
  if (error instanceof DomainError) return toHttpError(error);
  if (error instanceof TooManyRequests) return buildTooManyError(error);
  const status = error.statusCode ?? 500;
  if (status === 413) return buildError('body_too_large', 'a request body has at most 4 MiB');
  if (status >= 400 && status < 500) return buildError(status === 404 ? 'not_found' : 'malformed_body');
  log.error({ requestId: request.id, err: error }, 'request failed');
  return buildError('internal');
}

function logRequest(parts: AppParts, request: FastifyRequest, reply: FastifyReply): void {
  parts.log.info(
    {
      requestId: request.id,
      method: request.method,
      // Without the query string: OAuth codes travel there.
      path: request.url.split('?', 1)[0],
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime * 10) / 10,
      address: getClientAddress(parts, request),
    },
    'request',
  );
}
