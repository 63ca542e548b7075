import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { expect, onTestFinished } from 'vitest';
import { NoLogins } from '../../../src/auth/no-logins.ts';
import { createClientAddressFinder } from '../../../src/http/client-address.ts';
import { buildApp } from '../../../src/http/app.ts';
import type { VersionCheck } from '../../../src/http/api-version.ts';
import { VERSION } from '../../../src/version.ts';
import { FakeAuthenticator } from '../fakes/fake-authenticator.ts';
import { createWorld, type World } from '../fakes/world.ts';

/** The API on the domain with fakes. */
export interface AppUnderTest extends World {
  app: FastifyInstance;
  authenticator: FakeAuthenticator;
  /** Sends a request with the right version and, where `as` is not null, with that caller's token. */
  send: (as: 'upload' | 'ada' | 'bob' | null, request: InjectOptions) => Promise<LightMyRequestResponse>;
}

/** Builds the API for the running test. */
export function createApp(versionCheck: VersionCheck = 'exact'): AppUnderTest {
  const world = createWorld();
  const authenticator = new FakeAuthenticator();
  const app = buildApp({
    images: world.images,
    instances: world.instances,
    credentials: world.credentials,
    logins: new NoLogins(),
    authenticator,
    log: world.log,
    versionCheck,
    findClientAddress: createClientAddressFinder({ useXForwardedFor: false, trustedProxyCidrs: [] }),
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
  return { ...world, app, authenticator, send };
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
