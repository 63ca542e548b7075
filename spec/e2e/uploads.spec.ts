import { join } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import type { Instance } from './support/api.ts';
import { exercise, listExtensions } from './support/exercise.ts';
import { readHostState } from './support/host-state.ts';
import { query } from './support/instance-client.ts';
import { getInstallation } from './support/installation.ts';
import { ANONYMISE, type Packing, Source } from './support/source.ts';
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

/** Every major comes in another form, so that both are covered by few images. */
const FORMS: Record<number, { packing: Packing; folder: boolean }> = {
  13: { packing: 'tar', folder: false },
  14: { packing: 'tar.gz', folder: true },
  15: { packing: 'tar', folder: true },
  16: { packing: 'tar.zst', folder: false },
  17: { packing: 'tar.xz', folder: true },
  18: { packing: 'tar.gz', folder: false },
};

describe.concurrent('a backup of any major', () => {
  const majors = Object.entries(FORMS).map(
    ([major, form]) => [Number(major), form.packing, form.folder] as const,
  );

  it.each(majors)(
    '%i, as %s (in a folder: %s), becomes an instance of it, in which all works that works outside',
    async (major, packing, folder) => {
      const source = await Source.create(getInstallation(), `major-${major}`, major);
      const extensions = await listExtensions(source.cluster);
      expect(extensions.split('\n').length).toBeGreaterThan(35);
      await source.cluster.stop();
      const instance = await makeInstance([await source.pack(packing, { folder })]);
      const [version] = await query(instance, 'SHOW server_version_num');
      expect(Math.floor(Number(version) / 10_000)).toBe(major);
      await expectAnonymised(instance);
      await exercise(instance, major, extensions);
    },
  );
});

describe('a backup by pg_basebackup', () => {
  let source: Source;
  let files: string[] = [];

  beforeAll(async () => {
    const installation = getInstallation();
    source = await Source.create(installation, 'forms', installation.debianMajor);
    // What is written after the checkpoint of the backup is in the write-ahead log alone.
    files = await source.takeBaseBackup('plain');
    await source.cluster.stop();
  });

  it('may be base.tar and pg_wal.tar', async () => {
    expect(files.map((file) => file.split('/').at(-1))).toEqual(
      expect.arrayContaining(['base.tar', 'pg_wal.tar']),
    );
    await expectAnonymised(await makeInstance(files));
  });

  it('may be base.tar.gz and pg_wal.tar.gz', async () => {
    const { backup, imageId } = inject('e2e');
    expect(backup.map((file) => file.split('/').at(-1))).toEqual(
      expect.arrayContaining(['base.tar.gz', 'pg_wal.tar.gz']),
    );
    await expectAnonymised(await server.api.createInstance(imageId));
  });

  it('may be plain files', async () => {
    await expectAnonymised(await makeInstance(await source.listDataFiles()));
  });

  it('may be plain files in one folder', async () => {
    await expectAnonymised(await makeInstance([source.cluster.data]));
  });

  it('leaves nothing of the preparation behind', async () => {
    const { subvolumes, folders, scripts } = await readHostState();
    expect(subvolumes.filter((path) => /^image_(work|uploads)\//.test(path))).toEqual([]);
    expect(folders.filter((path) => path.startsWith(join(getInstallation().run, 'images')))).toEqual([]);
    expect(scripts).toEqual([]);
  });
});
