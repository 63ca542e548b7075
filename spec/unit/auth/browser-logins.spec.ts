import { describe, expect, it } from 'vitest';
import { BrowserLogins } from '../../../src/auth/browser-logins.ts';
import type { IdentityProvider, NewGrant } from '../../../src/core/identity-provider.ts';
import { Secret } from '../../../src/core/secret.ts';
import type { NewSession, SessionStore } from '../../../src/core/session.ts';
import { RecordingLog } from '../fakes/recording-log.ts';
import { FakeSealer } from '../fakes/world.ts';

const STATE = '0123456789abcdef'.repeat(2);
const GRANT: NewGrant = {
  account: { email: 'ada@example.com', emailVerified: true, audience: 'client' },
  refreshToken: new Secret('grant'),
  expiry: new Date('2026-11-27T12:00:00Z'),
};

/** Lets everybody consent. */
class FakeProvider implements IdentityProvider {
  getConsentUrl(state: string): Promise<string> {
    return Promise.resolve(`https://provider.example/?state=${state}`);
  }

  exchangeCode(): Promise<NewGrant> {
    return Promise.resolve(GRANT);
  }

  getAccount(): Promise<NewGrant['account']> {
    return Promise.resolve(GRANT.account);
  }
}

class FakeSessionStore implements SessionStore {
  readonly sessions: NewSession[] = [];

  insert(session: NewSession): Promise<number> {
    return Promise.resolve(this.sessions.push(session));
  }

  findByTokenHash(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

function createLogins() {
  const sessions = new FakeSessionStore();
  const trust = { clientId: 'client', domain: '@example.com' };
  const parts = { provider: new FakeProvider(), sessions, sealer: new FakeSealer(), trust };
  return { sessions, logins: new BrowserLogins({ ...parts, log: new RecordingLog() }) };
}

const OAUTH_ERROR = { kind: 'oauth_error' };
const { signal } = new AbortController();

describe('the sign-ins through a browser', () => {
  it('give a token to one client alone: a second one with the state is sent away at once', async () => {
    const { logins, sessions } = createLogins();
    const first = logins.wait(STATE, signal);
    await expect(logins.wait(STATE, signal)).rejects.toMatchObject(OAUTH_ERROR);
    await logins.begin(STATE);
    await logins.complete({ state: STATE, code: 'code', error: undefined });
    expect((await first).email).toBe('ada@example.com');
    await expect(logins.wait(STATE, signal)).rejects.toMatchObject(OAUTH_ERROR);
    expect(sessions.sessions).toHaveLength(1);
  });

  it('keep the outcome for a client that comes after the browser, once', async () => {
    const { logins, sessions } = createLogins();
    await logins.begin(STATE);
    await logins.complete({ state: STATE, code: 'code', error: undefined });
    expect((await logins.wait(STATE, signal)).email).toBe('ada@example.com');
    await expect(logins.wait(STATE, signal)).rejects.toMatchObject(OAUTH_ERROR);
    expect(sessions.sessions).toHaveLength(1);
  });

  it('do not keep waiting a client that has hung up already, which may come back', async () => {
    const { logins } = createLogins();
    await expect(logins.wait(STATE, AbortSignal.abort())).rejects.toMatchObject(OAUTH_ERROR);
    const waiting = logins.wait(STATE, signal);
    await logins.begin(STATE);
    await logins.complete({ state: STATE, code: 'code', error: undefined });
    expect((await waiting).email).toBe('ada@example.com');
  });
});
