import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { expect, onTestFinished } from 'vitest';
import { NoLogins } from '../../../src/auth/no-logins.ts';
import type { ErrorReporter } from '../../../src/core/error-reporter.ts';
import { Readiness, type ReadinessPart } from '../../../src/core/readiness.ts';
import { createClientAddressFinder, createProxyTest } from '../../../src/http/client-address.ts';
import { buildApp } from '../../../src/http/app.ts';
import type { VersionCheck } from '../../../src/http/api-version.ts';
import type { Logins } from '../../../src/core/login.ts';
import type { ForwardingRules } from '../../../src/http/client-address.ts';
import type { HttpLimits } from '../../../src/http/limits.ts';
import { VERSION } from '../../../src/version.ts';
import { FakeAuthenticator } from '../fakes/fake-authenticator.ts';
import { RecordingAudit } from '../fakes/recording-audit.ts';
import { createWorld, type World } from '../fakes/world.ts';

/** The API on the domain with fakes. */
export interface AppUnderTest extends World {
  app: FastifyInstance;
  authenticator: FakeAuthenticator;
  audit: RecordingAudit;
  /** Sends a request with the right version and, where `as` is not null, with that caller's token. */
  send: (as: 'upload' | 'ada' | 'bob' | null, request: InjectOptions) => Promise<LightMyRequestResponse>;
}

/** What a test may ask for; by default it meets no limit. */
export interface AppOptions {
  limits?: Partial<HttpLimits>;
  forwarding?: ForwardingRules;
  logins?: Logins;
  readiness?: ReadinessPart[];
  errors?: ErrorReporter;
}

const LIMITS: HttpLimits = {
  maxConnections: 1000,
  maxConnectionsPerAddress: 1000,
  failedRequestsPerMinute: 100_000,
  headerTimeoutMs: 20_000,
  requestTimeoutMs: 60_000,
};

/** Builds the API for the running test. */
export function createApp(versionCheck: VersionCheck = 'exact', options: AppOptions = {}): AppUnderTest {
  const forwarding = options.forwarding ?? { useXForwardedFor: false, trustedProxyCidrs: [] };
  const world = createWorld({ errors: options.errors });
  const authenticator = new FakeAuthenticator();
  const audit = new RecordingAudit();
  const app = buildApp({
    images: world.images,
    instances: world.instances,
    credentials: world.credentials,
    logins: options.logins ?? new NoLogins('oauth_error'),
    readiness: new Readiness(options.readiness ?? []),
    authenticator,
    audit,
    limits: { ...LIMITS, ...options.limits },
    log: world.log,
    errors: options.errors,
    versionCheck,
    findClientAddress: createClientAddressFinder(forwarding),
    isProxy: createProxyTest(forwarding),
    publicHostname: 'db.example.com',
  });
  onTestFinished(() => app.close());
  const send: AppUnderTest['send'] = (as, request) => {
    const token = as === null ? {} : { authorization: `Bearer ${as}` };
    return app.inject({
      ...request,
      headers: { 'draupnir-version': VERSION, ...token, ...request.headers },
    });
  };
  return { ...world, app, authenticator, audit, send };
}

/** Every answer is JSON without a charset and names the server's version (contract: HTTP API, "Envelope"). */
export function expectEnvelope(response: { headers: Record<string, unknown> }): void {
  expect(response.headers['content-type']).toBe('application/json');
  expect(response.headers['draupnir-version']).toBe(VERSION);
}

/** The error object of the contract, as it is sent. */
export function errorObject(
  id: string,
  status: number,
  title: string,
  detail: unknown,
  source: object = {},
): object {
  return { id, status: String(status), code: id, title, detail, source };
}

export const NOT_FOUND = errorObject(
  'resource_not_found',
  404,
  'Resource Not Found',
  'The resource you requested could not be found',
);
export const UNAUTHORIZED = errorObject(
  'unauthorized',
  401,
  'Unauthorized',
  'You do not have permission to view this resource',
);
export const INVALID_JSON = errorObject('bad_request', 400, 'Invalid JSON', 'Your JSON is malformed');
export const INTERNAL = errorObject(
  'internal_server_error',
  500,
  'Internal Server Error',
  'Something went wrong :(',
);
