import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { LoginFailure, type LoginFailureKind } from '../../../src/core/login.ts';
import { sendLoginFailure } from '../../../src/http/login-page.ts';

const KINDS: LoginFailureKind[] = [
  'weak_state',
  'unknown_state',
  'malformed',
  'denied',
  'untrusted',
  'no_refresh_token',
  'refused',
  'timeout',
  'unavailable',
  'busy',
];

describe('the page of a failed sign-in', () => {
  it.each(KINDS)('names the command that tries again: %s', async (kind) => {
    const app = fastify();
    app.get('/', (_request, reply) => sendLoginFailure(reply, new LoginFailure(kind)));
    const { statusCode, body } = await app.inject('/');
    expect(statusCode).toBeGreaterThanOrEqual(400);
    expect(body).toMatch(/[Rr]un &#34;draupnir authenticate&#34;/);
  });
});
