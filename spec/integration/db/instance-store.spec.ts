import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { NOBODY, type Instance } from '../../../src/core/instance.ts';
import { PgAddressStore } from '../../../src/db/address-store.ts';
import { PgImageStore } from '../../../src/db/image-store.ts';
import { PgInstanceStore } from '../../../src/db/instance-store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const ADA = 'ada@example.com';
const HOUR_MS = 3_600_000;
const RANGE = { min: 6000, max: 6030 };
const NONE = new Set<number>();
const BOX = Buffer.from([0, 1, 255, 92, 120]);

let database: TestDatabase;
let pool: pg.Pool;
let store: PgInstanceStore;
let images: PgImageStore;
let addresses: PgAddressStore;
let imageId = 0;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ ...database.config, max: 30 });
  store = new PgInstanceStore(pool);
  images = new PgImageStore(pool);
  addresses = new PgAddressStore(pool);
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});
beforeEach(async () => {
  await pool.query('TRUNCATE images CASCADE');
  const image = await images.insert({ backedUpAt: new Date(), anonymisationScript: '' });
  imageId = image.id;
  await images.transition(imageId, ['creating'], 'ready');
});

function insert(userEmail = ADA, range = RANGE, avoid: ReadonlySet<number> = NONE): Promise<Instance> {
  return store.insert({ imageId, userEmail }, range, avoid);
}

async function countRows(table: 'instances' | 'whitelisted_addresses'): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
  return rows[0]?.count ?? -1;
}

describe('the record of a new instance', () => {
  it('is being created, on a port of the range', async () => {
    const instance = await insert();
    expect(instance).toMatchObject({ imageId, userEmail: ADA, status: 'creating' });
    expect(instance.port).toBeGreaterThanOrEqual(RANGE.min);
    expect(instance.port).toBeLessThan(RANGE.max);
    expect(await store.find(instance.id)).toEqual(instance);
  });

  it('gets the one port that is left: the range ends below its maximum', async () => {
    expect((await insert(ADA, { min: 6000, max: 6001 })).port).toBe(6000);
    const full = { kind: 'no_free_port', message: 'all ports from 6000 to 6000 are taken' };
    await expect(insert(ADA, { min: 6000, max: 6001 })).rejects.toMatchObject(full);
    expect(await countRows('instances')).toBe(1);
  });

  it('gets no port that is to be avoided', async () => {
    expect((await insert(ADA, { min: 6000, max: 6003 }, new Set([6000, 6002]))).port).toBe(6001);
    const all = new Set([6000, 6001, 6002]);
    await expect(insert(ADA, { min: 6000, max: 6003 }, all)).rejects.toMatchObject({ kind: 'no_free_port' });
  });

  it('has a port of its own when as many are made at once as there are ports; then there is none', async () => {
    const made = await Promise.all(Array.from({ length: 30 }, () => insert()));
    expect(new Set(made.map((instance) => instance.port)).size).toBe(30);
    await expect(insert()).rejects.toMatchObject({ kind: 'no_free_port' });
    // A port that is given back is given out again.
    const [first] = made;
    await store.delete(first?.id ?? 0);
    expect((await insert()).port).toBe(first?.port);
  });

  it('is made for some and refused for the others when there are more than ports', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => insert(ADA, { min: 6000, max: 6005 })),
    );
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused).toHaveLength(15);
    for (const { reason } of refused) expect(reason).toMatchObject({ kind: 'no_free_port' });
    expect(await countRows('instances')).toBe(5);
  });

  it.each(['pending', 'finalising', 'failed', 'destroying'] as const)(
    'is refused when the image is %s',
    async (status) => {
      await images.transition(imageId, ['ready'], status);
      await expect(insert()).rejects.toMatchObject({ kind: 'image_not_ready' });
      expect(await countRows('instances')).toBe(0);
    },
  );

  it('is refused when there is no such image', async () => {
    await images.delete(imageId);
    await expect(insert()).rejects.toMatchObject({ kind: 'image_not_ready' });
  });

  it('is refused when a destruction of the image is about to be committed', async () => {
    const other = await pool.connect();
    try {
      await other.query('BEGIN');
      await other.query(`UPDATE images SET status = 'destroying' WHERE id = $1`, [imageId]);
      const outcome = insert().catch((error: unknown) => error);
      await expect.poll(countWaiting).toBe(1);
      await other.query('COMMIT');
      expect(await outcome).toMatchObject({ kind: 'image_not_ready' });
      expect(await countRows('instances')).toBe(0);
    } finally {
      other.release();
    }
  });

  it('is never missed by a destruction of the image that runs at the same time', async () => {
    const [marked, ...outcomes] = await Promise.allSettled([
      images.transition(imageId, ['ready'], 'destroying').then(() => store.listByImage(imageId)),
      ...Array.from({ length: 10 }, () => insert()),
    ]);
    const made = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    expect(marked.status === 'fulfilled' && marked.value.length).toBe(made.length);
  });
});

/** Sessions of this database that wait for a lock. */
async function countWaiting(): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rows[0]?.count ?? 0;
}

describe('the record of an instance', () => {
  it('is opened once, with its credentials, from creating alone', async () => {
    const { id } = await insert();
    expect(await store.findCredentials(id)).toBeUndefined();
    expect(await store.open(id, BOX)).toMatchObject({ id, status: 'ready' });
    expect(await store.findCredentials(id)).toEqual(BOX);
    await expect(store.open(id, Buffer.from('other'))).rejects.toMatchObject({ kind: 'image_not_ready' });
    expect(await store.findCredentials(id)).toEqual(BOX);
  });

  it('is not opened when it is going away or gone', async () => {
    const { id } = await insert();
    expect(await store.transition(id, ['creating', 'ready'], 'destroying')).toBe(true);
    await expect(store.open(id, BOX)).rejects.toMatchObject({ kind: 'image_not_ready' });
    expect((await store.find(id))?.status).toBe('destroying');
    expect(await store.findCredentials(id)).toBeUndefined();
    await store.delete(id);
    await expect(store.open(id, BOX)).rejects.toMatchObject({ kind: 'image_not_ready' });
    expect(await store.transition(id, ['creating', 'ready'], 'destroying')).toBe(false);
    expect(await store.find(id)).toBeUndefined();
    await store.delete(id);
  });

  it('is listed for its owner while it exists for him, running or not, and always with its image', async () => {
    const [ready, stopped, creating, destroying, other] = [
      await insert(),
      await insert(),
      await insert(),
      await insert(),
      await insert('bob@example.com'),
    ];
    for (const { id } of [destroying, ready, stopped, other]) await store.open(id, BOX);
    await store.transition(destroying.id, ['ready'], 'destroying');
    const ids = (instances: Instance[]): number[] => instances.map(({ id }) => id);
    await store.transition(stopped.id, ['ready'], 'stopped', 'no space');
    expect(await store.find(stopped.id)).toMatchObject({ status: 'stopped', failure: 'no space' });
    expect(ids(await store.listByOwner(ADA))).toEqual([ready.id, stopped.id]);
    expect(ids(await store.listByOwner('ADA@example.com'))).toEqual([]);
    const all = [ready.id, stopped.id, creating.id, destroying.id, other.id];
    expect(ids(await store.listByImage(imageId))).toEqual(all);
    expect(ids(await store.list())).toEqual(all);
    expect(await store.listByImage(imageId + 1)).toEqual([]);
  });

  it('never gets an id again', async () => {
    const { id } = await insert();
    await store.delete(id);
    expect((await insert()).id).toBeGreaterThan(id);
  });
});

describe('an instance that was made in advance', () => {
  const addWarm = async (): Promise<Instance> => {
    const { id } = await insert(NOBODY);
    return store.open(id, BOX);
  };
  const claim = (ids: number[], of = imageId): Promise<Instance | undefined> =>
    store.claimWarm(of, ids, { userEmail: ADA });
  const listWarmIds = async (): Promise<number[]> => (await store.listWarm()).map(({ id }) => id);

  it('is given to an owner as if it were being created now, and keeps its credentials', async () => {
    const warm = await addWarm();
    await pool.query(`UPDATE instances SET created_at = now() - interval '1 day', updated_at = created_at`);
    const claimed = await claim([warm.id]);
    expect(claimed).toMatchObject({ id: warm.id, port: warm.port, userEmail: ADA, status: 'creating' });
    expect(Date.now() - (claimed?.createdAt.getTime() ?? 0)).toBeLessThan(HOUR_MS);
    expect(Date.now() - (claimed?.updatedAt.getTime() ?? 0)).toBeLessThan(HOUR_MS);
    expect(await store.listByOwner(ADA)).toEqual([]);
    expect(await store.open(warm.id)).toMatchObject({ id: warm.id, userEmail: ADA, status: 'ready' });
    expect(await store.findCredentials(warm.id)).toEqual(BOX);
    expect(await claim([warm.id])).toBeUndefined();
  });

  it('is given with the session of its owner, if there is one', async () => {
    const { rows } = await pool.query<{ id: number }>(
      `INSERT INTO sessions (token_hash, user_email, google_refresh_token)
       VALUES (sha256('token'), $1, '') RETURNING id`,
      [ADA],
    );
    const sessionId = rows[0]?.id ?? 0;
    for (const [asked, kept] of [
      [sessionId, sessionId],
      [sessionId + 1, null],
    ] as const) {
      const { id } = await addWarm();
      await store.claimWarm(imageId, [id], { userEmail: ADA, sessionId: asked });
      const found = await pool.query('SELECT session_id FROM instances WHERE id = $1', [id]);
      expect(found.rows).toEqual([{ session_id: kept }]);
    }
    await pool.query('DELETE FROM sessions');
  });

  it('goes to one owner alone when many ask at once; the last ones get none', async () => {
    const warm = [await addWarm(), await addWarm(), await addWarm()].map(({ id }) => id);
    const claimed = await Promise.all(Array.from({ length: 10 }, () => claim(warm)));
    const ids = claimed.filter((instance) => instance !== undefined).map(({ id }) => id);
    expect(ids.sort((a, b) => a - b)).toEqual(warm);
  });

  it('is passed over while somebody else is about to take it; before that the oldest goes first', async () => {
    const [first, second] = [await addWarm(), await addWarm()];
    const other = await pool.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT FROM instances WHERE id = $1 FOR UPDATE', [first.id]);
      expect((await claim([first.id, second.id]))?.id).toBe(second.id);
      await other.query('ROLLBACK');
    } finally {
      other.release();
    }
    const third = await addWarm();
    expect((await claim([third.id, first.id]))?.id).toBe(first.id);
  });

  it('is not given when it is of another image, not among those asked for, not ready, or owned', async () => {
    const { id } = await addWarm();
    const other = await images.insert({ backedUpAt: new Date(), anonymisationScript: '' });
    await images.transition(other.id, ['creating'], 'ready');
    expect(await claim([id], other.id)).toBeUndefined();
    expect(await claim([id + 1])).toBeUndefined();
    for (const status of ['creating', 'stopped', 'failed', 'destroying']) {
      await pool.query('UPDATE instances SET status = $1', [status]);
      expect(await claim([id])).toBeUndefined();
    }
    await pool.query(`UPDATE instances SET status = 'ready', user_email = 'bob@example.com'`);
    expect(await claim([id])).toBeUndefined();
    expect(await store.retireWarm(id)).toBe(false);
    expect(await listWarmIds()).toEqual([]);
  });

  it.each(['pending', 'finalising', 'failed', 'destroying'] as const)(
    'is not given when the image is %s',
    async (status) => {
      const { id } = await addWarm();
      await images.transition(imageId, ['ready'], status);
      expect(await claim([id])).toBeUndefined();
      expect((await store.find(id))?.userEmail).toBe(NOBODY);
    },
  );

  it('is not given when a destruction of the image is about to be committed', async () => {
    const { id } = await addWarm();
    const other = await pool.connect();
    try {
      await other.query('BEGIN');
      await other.query(`UPDATE images SET status = 'destroying' WHERE id = $1`, [imageId]);
      const outcome = claim([id]);
      await expect.poll(countWaiting).toBe(1);
      await other.query('COMMIT');
      expect(await outcome).toBeUndefined();
    } finally {
      other.release();
    }
  });

  it('goes away unless it has got an owner, whoever of the two is first', async () => {
    const warm = await Promise.all(Array.from({ length: 8 }, () => addWarm()));
    const ids = warm.map(({ id }) => id);
    const [retired, claimed] = await Promise.all([
      Promise.all(ids.map((id) => store.retireWarm(id))),
      Promise.all(ids.map((id) => claim([id]))),
    ]);
    const states = await Promise.all(ids.map((id) => store.find(id)));
    expect(states.map((row) => [row?.status, row?.userEmail])).toEqual(
      ids.map((_, at) => (claimed[at] ? ['creating', ADA] : ['destroying', NOBODY])),
    );
    expect(retired).toEqual(claimed.map((instance) => instance === undefined));
  });

  it('is listed in every state in which it is there, the oldest first; what 5.3 made is never', async () => {
    const warm = [await addWarm(), await addWarm(), await addWarm(), await addWarm()];
    const [first, stopped, failed, destroying] = warm.map(({ id }) => id);
    await store.transition(stopped ?? 0, ['ready'], 'stopped', 'died');
    await store.transition(failed ?? 0, ['ready'], 'failed', 'died');
    expect(await store.retireWarm(destroying ?? 0)).toBe(true);
    await insert(NOBODY);
    await insert();
    for (const owner of [NOBODY, null]) {
      const { id } = await insert();
      await pool.query(`UPDATE instances SET status = 'ready', user_email = $2 WHERE id = $1`, [id, owner]);
      expect(await store.retireWarm(id)).toBe(false);
      expect(await claim([id])).toBeUndefined();
    }
    await pool.query(`UPDATE instances SET created_at = now() - interval '1 day' WHERE id = $1`, [failed]);
    expect(await listWarmIds()).toEqual([failed, first, stopped, destroying]);
    expect(await store.retireWarm(stopped ?? 0)).toBe(true);
    expect((await store.find(stopped ?? 0))?.failure).toBeUndefined();
  });
});

describe('a port that Draupnir 5.3 gave to several instances', () => {
  let ids: number[];
  beforeEach(async () => {
    const { rows } = await pool.query<{ id: number }>(
      `INSERT INTO instances (image_id, created_at, updated_at, port, user_email, port_taken)
       SELECT $1, now(), now(), port, 'ada@example.com', taken
       FROM (VALUES (6000, false), (6000, true), (6000, true), (6001, false), (NULL, false), (NULL, false))
         AS old (port, taken)
       RETURNING id`,
      [imageId],
    );
    ids = rows.map(({ id }) => id);
  });

  const listIds = async (): Promise<number[][]> =>
    (await store.listSharedPorts()).map((group) => group.map(({ id }) => id));

  it('is listed until it is settled who holds it', async () => {
    const [first = 0, second = 0, third = 0] = ids;
    expect(await listIds()).toEqual([[first, second, third]]);
    await store.assignPort(6000, second, 'another one has it');
    expect(await listIds()).toEqual([]);
    const lost = { port: 6000, status: 'failed', failure: 'another one has it', portTaken: true };
    expect(await store.find(first)).toMatchObject(lost);
    expect(await store.find(third)).toMatchObject(lost);
    const holder = await store.find(second);
    expect(holder).toMatchObject({ port: 6000, status: 'ready', failure: undefined });
    expect(holder).not.toHaveProperty('portTaken');
    await store.assignPort(6000, second, 'another one has it');
    expect(await store.find(second)).toEqual(holder);
  });

  it('is settled while one of them goes away, and anew when its holder is gone', async () => {
    const [first = 0, second = 0, third = 0] = ids;
    expect(await store.transition(third, ['ready'], 'destroying')).toBe(true);
    await store.assignPort(6000, first, 'another one has it');
    expect(await store.find(third)).toMatchObject({ status: 'destroying', failure: undefined });
    await store.delete(first);
    expect(await listIds()).toEqual([[second, third]]);
    await store.delete(third);
    expect(await listIds()).toEqual([[second]]);
    await store.assignPort(6000, second, '');
    expect(await listIds()).toEqual([]);
  });

  it('is given to none that is made later, while one of them is there', async () => {
    await store.assignPort(6000, ids[1] ?? 0, 'another one has it');
    await store.delete(ids[1] ?? 0);
    await expect(insert(ADA, { min: 6000, max: 6002 })).rejects.toMatchObject({ kind: 'no_free_port' });
  });

  it('opens to the addresses of its holder alone', async () => {
    for (const id of ids) await addresses.remember(id, `192.0.2.${id % 200}`);
    await store.assignPort(6000, ids[1] ?? 0, 'another one has it');
    const allowed = (await addresses.listAllowed()).map(({ address, port }) => `${address} ${port}`);
    expect(allowed).toEqual([`192.0.2.${(ids[1] ?? 0) % 200} 6000`, `192.0.2.${(ids[3] ?? 0) % 200} 6001`]);
  });

  it('may belong to one without an owner', async () => {
    await pool.query('UPDATE instances SET user_email = NULL');
    await addresses.remember(ids[3] ?? 0, '192.0.2.7');
    expect(await addresses.listAllowed()).toEqual([{ address: '192.0.2.7', port: 6001, userEmail: '' }]);
    expect(await store.find(ids[3] ?? 0)).toMatchObject({ userEmail: NOBODY });
    expect(await store.listWarm()).toEqual([]);
  });
});

describe('the addresses of an instance', () => {
  const select = async (): Promise<{ address: string; seen: boolean }[]> =>
    (
      await pool.query<{ address: string; seen: boolean }>(
        `SELECT host(ip_address) AS address, updated_at > created_at AS seen
         FROM whitelisted_addresses ORDER BY ip_address`,
      )
    ).rows;

  it('are kept once, with the time they were last seen', async () => {
    const { id } = await insert();
    await addresses.remember(id, '192.0.2.7');
    await addresses.remember(id, '2001:db8::1');
    expect(await select()).toEqual([
      { address: '192.0.2.7', seen: false },
      { address: '2001:db8::1', seen: false },
    ]);
    await addresses.remember(id, '192.0.2.7');
    expect(await select()).toEqual([
      { address: '192.0.2.7', seen: true },
      { address: '2001:db8::1', seen: false },
    ]);
  });

  it('may be the same for several instances, and are remembered by many at once', async () => {
    const [one, two] = [await insert(), await insert()];
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => addresses.remember(i % 2 === 0 ? one.id : two.id, '192.0.2.7')),
    );
    expect(await countRows('whitelisted_addresses')).toBe(2);
  });

  it('are told to be new once, and again after they were forgotten', async () => {
    const { id } = await insert();
    expect(await addresses.remember(id, '192.0.2.7')).toBe(true);
    expect(await addresses.remember(id, '192.0.2.7')).toBe(false);
    await pool.query(`UPDATE whitelisted_addresses SET updated_at = now() - interval '2 hours'`);
    await addresses.remember(id, '2001:db8::1');
    await addresses.forgetUnseen(3 * HOUR_MS);
    expect(await select()).toHaveLength(2);
    await addresses.forgetUnseen(HOUR_MS);
    expect((await select()).map(({ address }) => address)).toEqual(['2001:db8::1']);
    expect(await addresses.remember(id, '192.0.2.7')).toBe(true);
  });

  it('are allowed as long as the instance is not going away, whatever state it is in', async () => {
    const states = ['creating', 'ready', 'stopped', 'failed', 'destroying'];
    const expected = [];
    for (const status of states) {
      const { id, port } = await insert();
      await pool.query('UPDATE instances SET status = $2 WHERE id = $1', [id, status]);
      await addresses.remember(id, '192.0.2.7');
      await addresses.remember(id, '2001:db8::1');
      if (status === 'destroying') continue;
      expected.push(
        { address: '192.0.2.7', port, userEmail: ADA },
        { address: '2001:db8::1', port, userEmail: ADA },
      );
    }
    expected.sort((a, b) => a.port - b.port || (a.address < b.address ? -1 : 1));
    expect(await addresses.listAllowed()).toEqual(expected);
  });

  it('are never fewer than there are, wherever the connection is cut', async () => {
    const { id } = await insert();
    for (let i = 0; i < 200; i++) await addresses.remember(id, `10.0.0.${i}`);
    const { host = '', port = 0 } = database.config;
    let budget = Infinity;
    const proxy = createServer((socket) => {
      let left = budget;
      const upstream = connect({ path: `${host}/.s.PGSQL.${port}` });
      for (const end of [socket, upstream]) {
        end.on('error', () => undefined);
        end.on('close', () => (socket.destroy(), upstream.destroy()));
      }
      socket.pipe(upstream);
      upstream.on('data', (chunk: Buffer) => {
        socket.write(chunk.subarray(0, left));
        left -= chunk.length;
        if (left <= 0) socket.end();
      });
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const list = async (): Promise<number> => {
      const proxied = { ...database.config, host: '127.0.0.1', port: (proxy.address() as AddressInfo).port };
      const own = new pg.Pool(proxied);
      own.on('error', () => undefined);
      try {
        return (await new PgAddressStore(own).listAllowed()).length;
      } finally {
        await own.end();
      }
    };
    try {
      expect(await list()).toBe(200);
      let cut = 0;
      for (budget = 100; budget < 9000; budget += 257) {
        const outcome = await list().catch((error: unknown) => error);
        if (outcome instanceof Error) cut++;
        else expect(outcome).toBe(200);
      }
      expect(cut).toBeGreaterThan(10);
    } finally {
      await new Promise((resolve) => proxy.close(resolve));
    }
  });

  it('go with the instance', async () => {
    const [one, two] = [await insert(), await insert()];
    for (const { id } of [one, two]) await addresses.remember(id, '192.0.2.7');
    await store.delete(one.id);
    expect(await countRows('whitelisted_addresses')).toBe(1);
  });

  it('of an instance that is gone are not kept', async () => {
    const { id } = await insert();
    await store.delete(id);
    await addresses.remember(id, '192.0.2.7');
    expect(await countRows('whitelisted_addresses')).toBe(0);
  });
});
