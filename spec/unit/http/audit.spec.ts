import { describe, expect, it } from 'vitest';
import { LoginFailure, type Logins } from '../../../src/core/login.ts';
import { VERSION } from '../../../src/version.ts';
import { type AppUnderTest, createApp, errorObject } from './app-under-test.ts';

const IMAGE = {
  data: { attributes: { backed_up_at: '2026-05-01T12:00:00Z', anonymisation_script: 'SELECT 1' } },
};

function ofImage(id: number): object {
  return { data: { attributes: { image_id: id } } };
}

/** Two images, one of them ready, and an instance of Ada's; nothing of that is in the audit log. */
async function createFilled(): Promise<AppUnderTest> {
  const api = createApp();
  for (let count = 0; count < 2; count++)
    await api.send('upload', { method: 'POST', url: '/images', payload: IMAGE });
  await api.send('upload', { method: 'POST', url: '/images/1/done' });
  await api.send('ada', { method: 'POST', url: '/instances', payload: ofImage(1) });
  api.audit.entries.length = 0;
  return api;
}

const FIELDS = { address: '127.0.0.1', requestId: expect.any(String) as string };

describe('an attempt', () => {
  it.each([
    ['upload', 'POST', '/images', IMAGE, 201, 'image.create', 'images/3'],
    ['upload', 'POST', '/images/2/done', undefined, 200, 'image.finalise', 'images/2'],
    ['upload', 'DELETE', '/images/2', undefined, 204, 'image.destroy', 'images/2'],
    ['ada', 'POST', '/instances', ofImage(1), 201, 'instance.create', 'instances/2'],
    ['ada', 'GET', '/instances/1', undefined, 200, 'instance.read', 'instances/1'],
    ['ada', 'HEAD', '/instances/1', undefined, 200, 'instance.read', 'instances/1'],
    ['ada', 'POST', '/instances/1/credentials', undefined, 201, 'instance.rotate', 'instances/1'],
    ['ada', 'DELETE', '/instances/1', undefined, 204, 'instance.destroy', 'instances/1'],
  ] as const)('of %s by %s %s is entered once', async (as, method, url, payload, status, action, object) => {
    const api = await createFilled();
    const answer = await api.send(as, { method, url, ...(payload && { payload }) });
    expect(answer.statusCode).toBe(status);
    const user = as === 'upload' ? 'upload' : 'ada@example.com';
    expect(api.audit.entries).toEqual([
      { user, means: 'none', action, object, outcome: 'done', status, ...FIELDS },
    ]);
  });

  it.each([
    ['bob', 'GET', '/instances/1', 404, 'instance.read', 'resource_not_found'],
    ['ada', 'DELETE', '/images/1', 403, 'image.destroy', 'forbidden'],
    ['upload', 'DELETE', '/images/7;rm', 404, 'image.destroy', 'resource_not_found'],
    ['ada', 'POST', '/instances', 400, 'instance.create', 'bad_request'],
    [null, 'DELETE', '/instances/1', 401, 'instance.destroy', 'unauthorized'],
    [null, 'GET', '/images', 401, 'GET /images', 'unauthorized'],
  ] as const)(
    'of %s by %s %s that is refused is entered with the reason',
    async (as, method, url, status, action, reason) => {
      const api = await createFilled();
      await api.send(as, { method, url });
      expect(api.audit.entries).toMatchObject([
        {
          user: as === null ? 'anonymous' : as === 'upload' ? 'upload' : `${as}@example.com`,
          action,
          outcome: 'refused',
          status,
          reason,
        },
      ]);
    },
  );

  it('that fails is entered as failed', async () => {
    const api = await createFilled();
    api.steps.failOnce('disk.createInstance');
    await api.send('ada', { method: 'POST', url: '/instances', payload: ofImage(1) });
    expect(api.audit.entries).toMatchObject([
      { action: 'instance.create', outcome: 'failed', status: 500, reason: 'internal_server_error' },
    ]);
  });

  it('with another version is entered too, and holds nothing of what was sent', async () => {
    const api = await createFilled();
    await api.app.inject({
      method: 'POST',
      url: '/images/1/done?code=hunter2',
      headers: { 'draupnir-version': 'hunter2', authorization: 'Bearer hunter2' },
      payload: 'hunter2',
    });
    expect(api.audit.entries).toMatchObject([{ action: 'image.finalise', object: 'images/1', status: 400 }]);
    expect(JSON.stringify(api.audit.entries)).not.toContain('hunter2');
  });

  it('that only reads, or that no path answers, is not entered', async () => {
    const api = await createFilled();
    for (const url of ['/images', '/images/1', '/images/7', '/instances', '/nothing', '/health_check'])
      await api.send('ada', { url });
    await api.send('ada', { method: 'PUT', url: '/images' });
    await api.send('ada', { method: 'POST', url: '/nothing' });
    expect(api.audit.entries).toEqual([]);
  });

  it('of a flood is entered up to the first that is refused for being too many', async () => {
    const api = createApp('exact', { limits: { failedRequestsPerMinute: 2 } });
    for (let count = 0; count < 10; count++) await api.send(null, { method: 'DELETE', url: '/instances/1' });
    expect(api.audit.entries.map(({ status }) => status)).toEqual([401, 401, 429]);
  });
});

describe('a sign-in', () => {
  const logins = (complete: Logins['complete']): Logins => ({
    enabled: true,
    begin: () => Promise.resolve('https://accounts.example.com/'),
    complete,
    wait: () =>
      Promise.resolve({ email: 'ada@example.com', accessToken: 'a', refreshToken: 'b', expiry: new Date(0) }),
    close: () => undefined,
  });

  it('is entered with who signed in', async () => {
    const api = createApp('exact', { logins: logins(() => Promise.resolve('ada@example.com')) });
    await api.app.inject({ url: '/authenticate?state=s' });
    await api.app.inject({ url: '/oauth_callback?state=s&code=c' });
    const payload = { data: { attributes: { state: 's' } } };
    await api.app.inject({
      method: 'POST',
      url: '/access_tokens',
      headers: { 'draupnir-version': VERSION },
      payload,
    });
    expect(api.audit.entries).toMatchObject([
      { user: 'anonymous', means: 'none', action: 'login.begin', outcome: 'done', status: 302 },
      { user: 'ada@example.com', means: 'sign_in', action: 'login.callback', outcome: 'done' },
      { user: 'ada@example.com', means: 'sign_in', action: 'login.token', outcome: 'done', status: 201 },
    ]);
  });

  it.each([
    ['eve@elsewhere.example', 'eve@elsewhere.example'],
    ['eve\n@elsewhere.example', 'anonymous'],
  ])('of a stranger %j is entered with the reason', async (email, user) => {
    const failing = logins(() => Promise.reject(new LoginFailure('untrusted', email)));
    const api = createApp('exact', { logins: failing });
    await api.app.inject({ url: '/oauth_callback?state=s&code=c' });
    expect(api.audit.entries).toMatchObject([
      { user, action: 'login.callback', outcome: 'refused', status: 403, reason: 'untrusted' },
    ]);
  });
});

describe('while the audit log cannot be written', () => {
  const unavailable = (detail: unknown): object =>
    errorObject('audit_log_unavailable', 503, 'Audit Log Unavailable', detail);

  it('nothing that needs an entry is done', async () => {
    const api = await createFilled();
    const before = api.steps.taken.length;
    api.audit.full = true;
    const answer = await api.send('ada', { method: 'POST', url: '/instances', payload: ofImage(1) });
    expect(answer.json()).toEqual(unavailable('the disk is full'));
    expect(answer.headers['retry-after']).toBeDefined();
    expect((await api.send('ada', { url: '/instances/1' })).statusCode).toBe(503);
    expect(api.steps.taken).toHaveLength(before);
    expect((await api.send('ada', { url: '/instances' })).statusCode).toBe(200);
    expect(api.log.at('error')).not.toEqual([]);
  });

  it('credentials go to nobody, also when it breaks in between', async () => {
    const api = await createFilled();
    const write = api.audit.write.bind(api.audit);
    api.audit.write = () => Promise.reject(new Error('the disk is full'));
    const answer = await api.send('ada', { url: '/instances/1' });
    expect(answer.statusCode).toBe(503);
    expect(answer.body).not.toContain('key 1');
    api.audit.write = write;
    expect((await api.send('ada', { url: '/instances/1' })).body).toContain('key 1');
  });
});
