import { basename, join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import type { Instance } from './support/api.ts';
import { exercise, listExtensions } from './support/exercise.ts';
import { readHostState } from './support/host-state.ts';
import { query } from './support/instance-client.ts';
import { getInstallation } from './support/installation.ts';
import { ANONYMISE, type Packing, Source } from './support/source.ts';
import { CHANGES, PRIVILEGES } from './support/system-privileges.ts';
import { upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();

/** The whole way: create, upload by scp, finalise, instance. */
async function makeInstance(files: readonly string[]): Promise<Instance> {
  const { id } = await server.api.createImage(ANONYMISE);
  await upload(id, files);
  expect(await server.api.finaliseImage(id)).toMatchObject({
    status: 200,
    json: { data: { attributes: { ready: true } } },
  });
  return server.api.createInstance(id);
}

async function expectAnonymised(instance: Instance): Promise<void> {
  const emails = await query(instance, 'SELECT email FROM customers ORDER BY id');
  expect(emails).toEqual(Array.from({ length: 60 }, (_, i) => `customer-${i + 1}@anonymous.invalid`));
}

interface Form {
  /** `plain` are files beside each other, `base` what pg_basebackup writes. */
  packing: Packing | 'plain' | 'base';
  folder?: boolean;
  /** Whether no superuser is called postgres. */
  odd?: boolean;
}

/** Every major comes in another form, so that both are covered by few images; accepted-uploads.spec.ts has all forms. */
const FORMS: Record<number, Form> = {
  13: { packing: 'tar.xz' },
  14: { packing: 'tar.gz', folder: true, odd: true },
  15: { packing: 'tar', folder: true },
  16: { packing: 'tar.zst' },
  17: { packing: 'plain', odd: true },
  18: { packing: 'plain', folder: true },
};

/** What is written after the checkpoint of a pg_basebackup is in its write-ahead log alone. */
async function packBase(source: Source): Promise<string[]> {
  const files = await source.takeBaseBackup('base');
  await source.cluster.stop();
  expect(files.map((file) => basename(file))).toEqual(expect.arrayContaining(['base.tar', 'pg_wal.tar']));
  return files;
}

/** Adds a database whose system objects have other owners and privileges; resolves to those of a fresh cluster. */
async function changePrivileges({ cluster }: Source): Promise<string[]> {
  await cluster.query('postgres', 'CREATE DATABASE changed TEMPLATE template0');
  const list = async () => (await cluster.query('changed', PRIVILEGES)).split('\n');
  const fresh = await list();
  expect(fresh.length).toBeGreaterThan(5000);
  await cluster.query('changed', `SET allow_system_table_mods = on; ${CHANGES}`);
  expect(await list()).not.toEqual(fresh);
  return fresh;
}

async function pack(source: Source, { packing, folder = false }: Form): Promise<string[]> {
  if (packing === 'base') return packBase(source);
  await source.cluster.stop();
  if (packing !== 'plain') return [await source.pack(packing, { folder })];
  return folder ? [source.cluster.data] : source.listDataFiles();
}

describe.concurrent('a backup of any major', () => {
  const { debianMajor } = inject('e2e').installation;
  // Debian's major alone has pg_basebackup.
  const majors = Object.entries(FORMS).map(([major, form]): [number, string, Form] => {
    const chosen: Form = Number(major) === debianMajor ? { packing: 'base' } : form;
    return [Number(major), Object.values(chosen).join(' '), chosen];
  });

  it.each(majors)(
    '%i, in form %s, becomes an instance in which all works that works outside',
    async (major, _what, form) => {
      const source = await Source.create(getInstallation(), `major-${major}`, major, {
        rolePostgres: !form.odd,
      });
      const extensions = await listExtensions(source.cluster);
      expect(extensions.split('\n').length).toBeGreaterThan(35);
      const privileges = await changePrivileges(source);
      const instance = await makeInstance(await pack(source, form));
      expect(await query(instance, PRIVILEGES, { database: 'changed' })).toEqual(privileges);
      const [version] = await query(instance, 'SHOW server_version_num');
      expect(Math.floor(Number(version) / 10_000)).toBe(major);
      await expectAnonymised(instance);
      await exercise(instance, major, extensions);
    },
  );
});

describe('a backup by pg_basebackup', () => {
  it('may be base.tar.gz and pg_wal.tar.gz', async () => {
    const { backup, imageId } = inject('e2e');
    expect(backup.map((file) => basename(file))).toEqual(
      expect.arrayContaining(['base.tar.gz', 'pg_wal.tar.gz']),
    );
    await expectAnonymised(await server.api.createInstance(imageId));
  });
});

describe('a preparation', () => {
  it('leaves nothing behind', async () => {
    const { subvolumes, folders, scripts } = await readHostState();
    expect(subvolumes.filter((path) => /^image_(work|uploads)\//.test(path))).toEqual([]);
    expect(folders.filter((path) => path.startsWith(join(getInstallation().run, 'images')))).toEqual([]);
    expect(scripts).toEqual([]);
  });
});
