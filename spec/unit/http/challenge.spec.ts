import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/core/errors.ts';
import type { Logins } from '../../../src/core/login.ts';
import { createApp } from './app-under-test.ts';

const refuse = (): Promise<never> => Promise.reject(new DomainError('oauth_error', 'no such sign-in'));
const LOGINS: Logins = {
  enabled: true,
  begin: refuse,
  complete: refuse,
  wait: refuse,
  close: () => undefined,
};
const CREATE_TOKEN = {
  method: 'POST',
  url: '/access_tokens',
  payload: { data: { attributes: { state: 's' } } },
} as const;

describe('WWW-Authenticate', () => {
  it.each([
    ['where users can sign in', { logins: LOGINS }, 'Bearer realm="draupnir"'],
    ['where they cannot', {}, 'Bearer realm="draupnir", sign_in="disabled"'],
  ])('is part of a 401, %s', async (_where, options, expected) => {
    const { send } = createApp('exact', options);
    for (const as of [null, 'ada'] as const) {
      const response = await send(as, { url: '/images' });
      expect(response.headers['www-authenticate']).toBe(as === null ? expected : undefined);
    }
  });

  it('is no part of a refusal for too many requests', async () => {
    const { send } = createApp('exact', { limits: { failedRequestsPerMinute: 1 } });
    await send(null, { url: '/images' });
    const response = await send(null, { url: '/images' });
    expect(response.statusCode).toBe(429);
    expect(response.headers['www-authenticate']).toBeUndefined();
  });

  it('informs a client that waits for a sign-in that there is none', async () => {
    const disabled = await createApp().send(null, CREATE_TOKEN);
    expect(disabled.json()).toMatchObject({ title: 'OAuth Error' });
    expect(disabled.headers['www-authenticate']).toContain('sign_in="disabled"');
    const failed = await createApp('exact', { logins: LOGINS }).send(null, CREATE_TOKEN);
    expect(failed.json()).toEqual(disabled.json());
    expect(failed.headers['www-authenticate']).toBeUndefined();
  });
});
