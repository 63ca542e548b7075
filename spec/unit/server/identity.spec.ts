import { describe, expect, it } from 'vitest';
import type { ServerConfig } from '../../../src/config/server-config.ts';
import { composeIdentity } from '../../../src/server/identity.ts';
import { Secret } from '../../../src/core/secret.ts';

describe('signing in', () => {
  it.each([
    ['is refused with a reason of its own when it is switched off', 'production', 'sign_in_disabled'],
    ['is the error of the contract in the environment for tests', 'test', 'oauth_error'],
  ])('%s', async (_what, environment, kind) => {
    const config = {
      environment,
      sharedSecret: new Secret('secret'),
      trustedUserEmailDomain: '@example.com',
      oauth: { enabled: false },
    } as ServerConfig;
    // Neither asks a database or a provider.
    const { logins } = composeIdentity(config, {} as Parameters<typeof composeIdentity>[1]);
    await expect(logins.wait('state', new AbortController().signal)).rejects.toMatchObject({ kind });
    await expect(logins.begin('state')).rejects.toMatchObject({ kind: 'disabled' });
  });
});
