import { appendFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Instance } from './support/api.ts';
import { run, runCommand } from './support/command.ts';
import { Fixture } from './support/fixture.ts';
import { connect, query } from './support/instance-client.ts';
import { getInstallation } from './support/installation.ts';
import { COMPRESSED_PIECES, MARK, PLACES, PLANT, PLANTED_FILES, REMOVE } from './support/personal-data.ts';
import { Source } from './support/source.ts';
import { upload } from './support/upload.ts';
import { type ServerInUse, useServer } from './support/use-server.ts';

/** What must not be found; `victim.example` is the domain of the shared source. */
const PATTERNS = [MARK, 'victim.example', ...COMPRESSED_PIECES];
const DATABASES = ['shop', 'template1'];

interface Prepared {
  instance: Instance;
  /** Where the image is. */
  snapshot: string;
  /** Where the backup is, unpacked. */
  backup: string;
  /** Stored passwords of the source. */
  passwords: string[];
}

/** Plants, uploads, anonymises. */
async function prepare(server: ServerInUse, name: string, major: number): Promise<Prepared> {
  const installation = getInstallation();
  const { cluster } = await Source.create(installation, name, major);
  await cluster.query('shop', PLANT);
  const passwords = await cluster.query(
    'shop',
    'SELECT rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL',
  );
  await cluster.stop();
  const fixture = await Fixture.create(join(installation.scratch, name), cluster.data);
  for (const file of PLANTED_FILES) {
    await mkdir(dirname(join(fixture.data, file)), { recursive: true });
    await appendFile(join(fixture.data, file), `${MARK}-file\n`);
  }
  const { id } = await server.api.createImage(REMOVE);
  await upload(id, [await fixture.pack()]);
  const answer = await server.api.finaliseImage(id);
  expect(answer.status, answer.text).toBe(200);
  return {
    instance: await server.api.createInstance(id),
    snapshot: join(installation.data, 'image_snapshots', String(id)),
    backup: fixture.data,
    passwords: passwords.split('\n'),
  };
}

/** Files below a folder whose bytes hold one of the patterns; text is stored in the database's encoding, UTF-8. */
async function findFiles(folder: string, patterns: readonly string[]): Promise<string[]> {
  const argv = ['grep', '-rlaF', ...patterns.flatMap((pattern) => ['-e', pattern]), folder];
  const { exitCode, stdout, stderr } = await runCommand(argv);
  if (exitCode === undefined || exitCode > 1) throw new Error(stderr);
  return stdout.split('\n').filter((line) => line !== '');
}

const RELATIONS = `SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
  WHERE relkind IN ('r', 'm', 'v') AND nspname !~ '^pg_(toast|temp)' ORDER BY 1`;

/** Relations of a database, the catalogues and their views included, that show a pattern to the instance's owner. */
async function findRelations(
  instance: Instance,
  database: string,
): Promise<{ found: string[]; read: number }> {
  const client = await connect(instance, { database });
  try {
    const { rows } = await client.query<[string]>({ text: RELATIONS, rowMode: 'array' });
    const found: string[] = [];
    let read = 0;
    for (const [relation] of rows) {
      // The pattern is a parameter, since pg_stat_activity shows this very statement.
      const text = `SELECT count(*) FROM ${relation} AS r WHERE r::text ~ $1`;
      try {
        const result = await client.query<{ count: string }>(text, [`${MARK}|victim`]);
        read += 1;
        if (result.rows[0]?.count !== '0') found.push(relation);
      } catch (error) {
        // What the owner may not read shows nothing.
        if ((error as { code?: string }).code !== '42501') throw error;
      }
    }
    return { found, read };
  } finally {
    await client.end();
  }
}

describe('personal data that an anonymisation has removed from the tables', () => {
  const server = useServer();

  describe.each([13, 18])('of Postgres %i', (major) => {
    let prepared: Prepared;
    beforeAll(async () => {
      prepared = await prepare(server, `personal-${major}`, major);
    });

    it('was in the backup', async () => {
      for (const pattern of [MARK, 'victim.example']) {
        expect((await findFiles(prepared.backup, [pattern])).length).toBeGreaterThan(10);
      }
      expect(await findFiles(prepared.backup, COMPRESSED_PIECES)).not.toEqual([]);
      expect(await findFiles(prepared.backup, prepared.passwords)).not.toEqual([]);
      const places = await run(['grep', '-rhoaE', `${MARK}-[a-z-]+`, prepared.backup]);
      expect([...new Set(places.split('\n'))]).toEqual(
        expect.arrayContaining(PLACES.map((place) => `${MARK}-${place}`)),
      );
    });

    it('is in no byte of the image', async () => {
      expect(await findFiles(prepared.snapshot, [...PATTERNS, ...prepared.passwords])).toEqual([]);
      expect(await findFiles(prepared.snapshot, ['anonymous.invalid'])).not.toEqual([]);
    });

    it.each(DATABASES)('is shown by no table and no catalogue of database %s', async (database) => {
      const { found, read } = await findRelations(prepared.instance, database);
      expect(found).toEqual([]);
      expect(read).toBeGreaterThan(100);
    });

    it('is not counted any more: an instance begins with no work for autovacuum', async () => {
      const changes =
        'SELECT sum(n_tup_ins + n_tup_upd + n_tup_del + n_mod_since_analyze)::int FROM pg_stat_user_tables';
      expect(await query(prepared.instance, changes)).toEqual([0]);
    });

    it('leaves materialised views, functions and statistics that work', async () => {
      const { instance } = prepared;
      expect(await query(instance, 'SELECT email FROM domains WHERE email ~ $$-7@$$')).toEqual([
        'person-7@anonymous.invalid again',
      ]);
      expect(await query(instance, 'SELECT greet()')).toEqual(['hello']);
      const statistics = `SELECT count(*)::int FROM pg_stats WHERE tablename IN ('kept', 'emails', 'pg_class')`;
      expect(Number(await query(instance, statistics))).toBeGreaterThan(20);
      expect(
        await query(instance, `SELECT count(*)::int FROM pg_stats_ext WHERE dependencies IS NOT NULL`),
      ).toEqual([1]);
    });
  });
});

describe('personal data after the fast scrub', () => {
  const server = useServer({ scrub: 'fast' });
  let prepared: Prepared;
  beforeAll(async () => {
    prepared = await prepare(server, 'personal-fast', getInstallation().debianMajor);
  });

  it.each(DATABASES)('is shown by no table and no catalogue of database %s', async (database) => {
    const { found, read } = await findRelations(prepared.instance, database);
    expect(found).toEqual([]);
    expect(read).toBeGreaterThan(100);
  });

  it('is, in bytes, in nothing but the free space of tables and indexes', async () => {
    const files = await findFiles(prepared.snapshot, PATTERNS);
    expect(files.filter((file) => !file.startsWith(join(prepared.snapshot, 'base/')))).toEqual([]);
    // This is what the full scrub is for.
    expect(files).not.toEqual([]);
    expect(await findFiles(prepared.snapshot, prepared.passwords)).toEqual([]);
  });
});
