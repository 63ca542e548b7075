import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FirstMatch } from '../../../src/auth/first-match.ts';
import { SharedSecretAuthenticator } from '../../../src/auth/shared-secret-authenticator.ts';
import { StubAuthenticator } from '../../../src/auth/stub-authenticator.ts';
import type { Authenticator } from '../../../src/core/caller.ts';
import { Secret } from '../../../src/core/secret.ts';
import { CALLERS, FakeAuthenticator } from '../fakes/fake-authenticator.ts';

const SECRET = 'correct horse battery staple';

describe('SharedSecretAuthenticator', () => {
  const authenticator = new SharedSecretAuthenticator(new Secret(SECRET));

  it('knows the upload user by the secret', async () => {
    expect(await authenticator.identify(SECRET)).toEqual({
      role: 'upload',
      email: 'upload',
      means: 'shared_secret',
    });
  });

  it('knows nobody by any other token, however near', async () => {
    const near = [
      '',
      SECRET.slice(1),
      SECRET.slice(0, -1),
      `${SECRET} `,
      SECRET.toUpperCase(),
      `${SECRET}\0`,
    ];
    for (const token of near) expect(await authenticator.identify(token)).toBeUndefined();
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary-ascii' }), async (token) => {
        fc.pre(token !== SECRET);
        expect(await authenticator.identify(token)).toBeUndefined();
      }),
    );
  });
});

describe('StubAuthenticator', () => {
  it('knows one developer by the one token of the test environment', async () => {
    const authenticator = new StubAuthenticator('@example.com');
    const caller = await authenticator.identify('the-integration-access-token');
    expect(caller).toEqual({ role: 'developer', email: 'integration-test@example.com', means: 'test_token' });
    for (const token of ['', 'the-integration-access-token ', 'another']) {
      expect(await authenticator.identify(token)).toBeUndefined();
    }
  });
});

describe('FirstMatch', () => {
  const broken: Authenticator = { identify: () => Promise.reject(new Error('provider is down')) };

  it('asks in order and stops at the first that knows the token', async () => {
    const [first, second] = [new FakeAuthenticator(), new FakeAuthenticator()];
    const match = new FirstMatch([new StubAuthenticator('@example.com'), first, second, broken]);
    expect(await match.identify('ada')).toEqual(CALLERS.ada);
    expect(first.asked).toEqual(['ada']);
    expect(second.asked).toEqual([]);
  });

  it('knows nobody when none of them does', async () => {
    expect(await new FirstMatch([new FakeAuthenticator()]).identify('mallory')).toBeUndefined();
    expect(await new FirstMatch([]).identify('ada')).toBeUndefined();
  });

  it('does not take a failure for a stranger', async () => {
    const next = new FakeAuthenticator();
    await expect(new FirstMatch([broken, next]).identify('ada')).rejects.toThrow('provider is down');
    expect(next.asked).toEqual([]);
  });
});
