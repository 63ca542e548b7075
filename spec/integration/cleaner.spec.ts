import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type ApiServer, type ApiServerOptions, SHARED_SECRET, useApiServer } from './support/api-server.ts';

const createState = (): string => randomBytes(16).toString('hex');
const HOUR_MS = 3_600_000;

const api = useApiServer();
let server: ApiServer;
let imageId: number;
async function start(options: ApiServerOptions = {}): Promise<void> {
  server = await api.start(options);
  imageId = await server.addImage();
}

/** Signs somebody in and makes them an instance. */
async function arrive(email: string): Promise<{ token: string; grant: string; instanceId: number }> {
  server.google.account = { email, verified: true };
  const token = await server.signIn(createState());
  const instanceId = await server.createInstance(token, imageId);
  return { token, grant: server.google.grants.at(-1) ?? '', instanceId };
}

async function listInstanceIds(): Promise<number[]> {
  return (await server.query<{ id: number }>('SELECT id FROM instances ORDER BY id')).map((row) => row.id);
}

async function countSessions(): Promise<number> {
  return (await server.query('SELECT FROM sessions')).length;
}

/** An instance as the original left it, at a port beyond the range from which the server gives them at random. */
async function addOriginalInstance(email: string, refreshToken: string | null): Promise<number> {
  const rows = await server.query<{ id: number }>(
    `INSERT INTO instances (image_id, created_at, updated_at, port, user_email, refresh_token)
     VALUES ($1, now(), now(), 6500 + (SELECT count(*) FROM instances), $2, $3) RETURNING id`,
    [imageId, email, refreshToken],
  );
  const id = rows[0]?.id ?? 0;
  server.disk.existing.add(id);
  return id;
}

describe('the cleaner', () => {
  it('destroys the instances of someone who has left, then the session, and nobody else’s', async () => {
    await start();
    const ada = await arrive('ada@example.com');
    const second = await server.createInstance(ada.token, imageId);
    const bob = await arrive('bob@example.com');
    const byUpload = await server.createInstance(SHARED_SECRET, imageId);
    await server.clean();
    expect(await listInstanceIds()).toEqual([ada.instanceId, second, bob.instanceId, byUpload]);

    server.google.revoke(ada.grant);
    await server.clean();
    expect(await listInstanceIds()).toEqual([bob.instanceId, byUpload]);
    expect([...server.disk.existing]).toEqual([bob.instanceId, byUpload]);
    expect(await countSessions()).toBe(1);
    expect((await server.request('GET', '/images', { token: bob.token })).status).toBe(200);
    // At once, although the cache has not forgotten.
    expect((await server.request('GET', '/images', { token: ada.token })).status).toBe(401);
  });

  it('takes instances that nobody owns yet for nobody’s who has left', async () => {
    await start();
    const { grant, instanceId } = await arrive('ada@example.com');
    await addOriginalInstance('', null);
    await addOriginalInstance('', grant);
    // At worst they would seem to be made with the grant of somebody who has left.
    await server.query(
      `UPDATE instances SET session_id = (SELECT min(id) FROM sessions) WHERE refresh_token IS NULL`,
    );
    server.google.revoke(grant);
    server.audit.entries.length = 0;
    const before = await listInstanceIds();
    await server.clean();
    expect(await listInstanceIds()).toEqual(before.filter((id) => id !== instanceId));
    expect(server.audit.entries.map(({ owner }) => owner)).toEqual(['ada@example.com']);
    expect(await server.query(`SELECT FROM sessions WHERE user_email = ''`)).toEqual([]);
  });

  it('enters what it did into the audit log, once, and does nothing while that cannot be written', async () => {
    await start();
    const ada = await arrive('ada@example.com');
    server.google.revoke(ada.grant);
    server.audit.entries.length = 0;
    server.audit.full = true;
    await server.clean();
    expect(await listInstanceIds()).toEqual([ada.instanceId]);
    server.audit.full = false;
    server.disk.stuck.add(ada.instanceId);
    await server.clean();
    server.disk.stuck.clear();
    await server.clean();
    await server.clean();
    const entry = { user: 'draupnir', means: 'cleaner', action: 'user.remove', owner: 'ada@example.com' };
    expect(server.audit.entries).toEqual([
      { ...entry, outcome: 'failed', reason: 'internal_server_error' },
      { ...entry, outcome: 'done', object: `instances/${ada.instanceId}` },
    ]);
  });

  it.each(['down', 'slow', 'error', 'garbage', 'empty', 'redirect'] as const)(
    'destroys nothing while the provider is %s',
    async (fault) => {
      await start(fault === 'slow' ? { providerDeadlineMs: 1000 } : {});
      const { instanceId } = await arrive('ada@example.com');
      server.google.revokeAll();
      server.google.faults.token = fault;
      await server.clean();
      expect(await listInstanceIds()).toEqual([instanceId]);
      expect(await countSessions()).toBe(1);
      server.google.faults.token = undefined;
      await server.clean();
      expect(await listInstanceIds()).toEqual([]);
    },
  );

  it.each([
    [401, 'invalid_client'],
    [400, 'unauthorized_client'],
    [403, 'access_denied'],
    [500, 'invalid_grant'],
  ])('destroys nothing for the answer %i %s', async (status, error) => {
    await start();
    const { instanceId } = await arrive('ada@example.com');
    server.google.refreshError = { status, error };
    await server.clean();
    expect(await listInstanceIds()).toEqual([instanceId]);
  });

  it('takes a person for gone only when every grant is refused', async () => {
    await start();
    const first = await arrive('ada@example.com');
    const second = await arrive('ada@example.com');
    server.google.revoke(first.grant);
    await server.clean();
    expect(await listInstanceIds()).toEqual([first.instanceId, second.instanceId]);
    // The old session goes; its instance belongs to the other one now.
    expect(await countSessions()).toBe(1);
    expect(await server.query('SELECT FROM instances WHERE session_id IS NULL')).toEqual([]);

    server.google.revoke(second.grant);
    await server.clean();
    expect(await listInstanceIds()).toEqual([]);
    expect(await countSessions()).toBe(0);
  });

  it('keeps everything when one grant is refused and the other one unknown', async () => {
    await start();
    const { grant, instanceId } = await arrive('ada@example.com');
    server.google.revoke(grant);
    await server.signIn(createState());
    await server.query(
      `UPDATE sessions SET google_refresh_token = decode(repeat('01', 60), 'hex') WHERE id = (SELECT max(id) FROM sessions)`,
    );
    await server.clean();
    expect(await listInstanceIds()).toEqual([instanceId]);
    expect(await server.query('SELECT FROM sessions WHERE revoked_at IS NULL')).toHaveLength(2);
  });

  it('knows the grants of instances that the original made', async () => {
    await start();
    const [ada, bob] = [
      { email: 'ada@example.com', verified: true },
      { email: 'bob@example.com', verified: true },
    ];
    const [gone, stays] = [server.google.grant(ada), server.google.grant(bob)];
    await addOriginalInstance(ada.email, gone);
    await addOriginalInstance(ada.email, gone);
    const kept = await addOriginalInstance(bob.email, stays);
    server.google.revoke(gone);
    await server.clean();
    expect(await listInstanceIds()).toEqual([kept]);
    // The original's column is as it was, and its client goes on with the token.
    expect(await server.query('SELECT refresh_token FROM instances')).toEqual([{ refresh_token: stays }]);
    expect((await server.request('GET', '/images', { token: stays })).status).toBe(200);
    expect(await countSessions()).toBe(1);
  });

  it('counts a new sign-in for instances that the original made', async () => {
    await start();
    const old = server.google.grant();
    const id = await addOriginalInstance('ada@example.com', old);
    await server.signIn(createState());
    server.google.revoke(old);
    await server.clean();
    await server.clean();
    expect(await listInstanceIds()).toEqual([id]);
    expect(await countSessions()).toBe(1);
  });

  it('leaves those without a known grant and the upload user alone, and says so once a round', async () => {
    await start();
    const ids = [
      await addOriginalInstance('ada@example.com', null),
      await addOriginalInstance('bob@example.com', ''),
      await addOriginalInstance('upload', SHARED_SECRET),
    ];
    await server.clean();
    expect(await listInstanceIds()).toEqual(ids);
    expect(server.google.requests).toEqual([]);
    // Not even the upload user's secret becomes a session.
    expect(await countSessions()).toBe(0);
    const lines = server.log.filter((line) => line.includes('without a known grant'));
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ userEmails: ['ada@example.com', 'bob@example.com'] });
  });

  it('goes on with the others when one cannot be cleaned up after, and tries again', async () => {
    await start();
    const ada = await arrive('ada@example.com');
    const other = await server.createInstance(ada.token, imageId);
    await arrive('bob@example.com');
    server.google.revokeAll();
    server.disk.stuck.add(ada.instanceId);
    await server.clean();
    expect([...server.disk.existing]).toEqual([ada.instanceId]);
    expect(await listInstanceIds()).toEqual([ada.instanceId]);
    expect(await countSessions()).toBe(1);
    expect(server.log.join()).toContain('cannot clean up after user');
    expect(other).not.toBe(ada.instanceId);

    server.disk.stuck.clear();
    await server.clean();
    expect(await listInstanceIds()).toEqual([]);
    expect(await countSessions()).toBe(0);
  });

  it('ends access at once and destroys after the grace', async () => {
    await start({ grace: '72h' });
    const { token, instanceId } = await arrive('ada@example.com');
    server.google.revokeAll();
    await server.clean();
    expect((await server.request('GET', '/images', { token })).status).toBe(401);
    server.now += 72 * HOUR_MS - 1;
    await server.clean();
    expect(await listInstanceIds()).toEqual([instanceId]);
    server.now += 1;
    await server.clean();
    expect(await listInstanceIds()).toEqual([]);
  });

  it('starts the grace anew for somebody who was back meanwhile', async () => {
    await start({ grace: '72h' });
    const { instanceId } = await arrive('ada@example.com');
    server.google.refreshError = { status: 400, error: 'invalid_grant' };
    await server.clean();
    server.google.refreshError = undefined;
    server.now += 48 * HOUR_MS;
    await server.clean();
    server.google.refreshError = { status: 400, error: 'invalid_grant' };
    server.now += 48 * HOUR_MS;
    await server.clean();
    expect(await listInstanceIds()).toEqual([instanceId]);
    server.now += 72 * HOUR_MS;
    await server.clean();
    expect(await listInstanceIds()).toEqual([]);
  });

  it('spares somebody who signs in again within the grace', async () => {
    await start({ grace: '72h' });
    const { instanceId } = await arrive('ada@example.com');
    server.google.revokeAll();
    await server.clean();
    const token = await server.signIn(createState());
    server.now += 100 * HOUR_MS;
    await server.clean();
    expect(await listInstanceIds()).toEqual([instanceId]);
    const list = await server.request('GET', '/instances', { token });
    expect(JSON.parse(list.body)).toMatchObject({ data: [{ id: String(instanceId) }] });
  });

  it('spares somebody who signs in while Google is being asked', async () => {
    await start();
    const { instanceId } = await arrive('ada@example.com');
    server.google.revokeAll();
    server.google.beforeAnswer = () =>
      server.query(
        `INSERT INTO sessions (token_hash, user_email, google_refresh_token)
         VALUES (sha256('new'), 'ada@example.com', '') ON CONFLICT DO NOTHING`,
      );
    await server.clean();
    expect(await listInstanceIds()).toEqual([instanceId]);
  });

  it('stops between two people when it is told to', async () => {
    await start();
    await arrive('ada@example.com');
    server.google.revokeAll();
    await server.identity.cleaner?.run(AbortSignal.abort());
    expect(await listInstanceIds()).toHaveLength(1);
  });

  it('removes sessions nobody has used for half a year, but none of an owner', async () => {
    await start();
    await arrive('ada@example.com');
    server.google.account = { email: 'bob@example.com', verified: true };
    await server.signIn(createState());
    server.now += 180 * 24 * HOUR_MS;
    await server.clean();
    expect(await countSessions()).toBe(2);
    server.now += 11 * 24 * HOUR_MS;
    await server.clean();
    expect(await server.query('SELECT user_email FROM sessions')).toEqual([
      { user_email: 'ada@example.com' },
    ]);
  });
});
