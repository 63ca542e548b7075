import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { createClientConfig } from '../../../src/config/client-config.ts';
import { parseDatabaseUrl } from '../../../src/config/database-url.ts';

function create(text: string) {
  const database = parseDatabaseUrl(text);
  if ('problems' in database) throw new Error(database.problems.join('; '));
  return createClientConfig(database);
}

describe('createClientConfig', () => {
  it('makes pg connect where the text says', async () => {
    const client = new pg.Client(
      await create('host=/run/postgresql port=5433 user=draupnir dbname=meta application_name=a'),
    );
    expect(client).toMatchObject({
      host: '/run/postgresql',
      port: 5433,
      user: 'draupnir',
      database: 'meta',
      ssl: false,
    });
  });

  it('hands over the password without showing it', async () => {
    const config = await create('host=h password=hunter2');
    expect(inspect(config, { showHidden: true, depth: null })).not.toContain('hunter2');
    expect(typeof config.password === 'function' && (await config.password())).toBe('hunter2');
  });

  it('maps the rest, and leaves out what is absent', async () => {
    expect(
      await create("host=h sslmode=disable options='-c a=b' connect_timeout=3 application_name=x"),
    ).toEqual({
      host: 'h',
      ssl: false,
      options: '-c a=b',
      connectionTimeoutMillis: 3000,
      application_name: 'x',
    });
  });

  it('trusts whom sslmode says', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'client-config-'));
    const file = (name: string) => join(folder.path, name);
    for (const name of ['ca', 'crt', 'key']) await writeFile(file(name), name);

    expect((await create('host=h sslmode=require')).ssl).toEqual({ rejectUnauthorized: false });
    expect((await create(`host=h sslmode=verify-ca sslrootcert=${file('ca')}`)).ssl).toEqual({
      ca: Buffer.from('ca'),
      checkServerIdentity: expect.any(Function) as unknown,
    });
    expect(
      (
        await create(
          `host=h sslmode=verify-full sslrootcert=${file('ca')} sslcert=${file('crt')} sslkey=${file('key')}`,
        )
      ).ssl,
    ).toEqual({
      ca: Buffer.from('ca'),
      cert: Buffer.from('crt'),
      key: Buffer.from('key'),
    });
    expect((await create('host=h sslmode=verify-full sslrootcert=system')).ssl).toEqual({
      ca: expect.any(Array) as unknown,
    });
  });

  it('rejects when a file is missing', async () => {
    await expect(create('host=h sslrootcert=/nowhere/ca')).rejects.toThrow('ENOENT');
  });
});
