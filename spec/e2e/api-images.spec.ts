import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { run } from './support/command.ts';
import { readHostState } from './support/host-state.ts';
import { getInstallation, UPLOAD_USER } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { ANONYMISE } from './support/source.ts';
import { upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();
describe('POST /images', () => {
  it('keeps the script to the letter', async () => {
    const script = `-- «Ümlaut» \\ '$$' \u{1F980}\r\n\tSELECT 'it''s';`;
    const { id } = await server.api.createImage(script);
    const hex = await queryMetadata(
      `SELECT encode(convert_to(anon, 'UTF8'), 'hex') FROM images WHERE id = ${id}`,
    );
    expect(Buffer.from(hex, 'hex').toString()).toBe(script);
  });

  it('makes a subvolume that the upload user can write to', async () => {
    const { id } = await server.api.createImage('');
    const path = join(getInstallation().data, 'image_uploads', String(id));
    const { mode, ino } = await stat(path);
    expect(mode & 0o7777).toBe(0o775);
    // btrfs-subvolume(8): the root of a subvolume.
    expect(ino).toBe(256);
    await run(['touch', join(path, 'backup.tar')], { user: UPLOAD_USER });
  });
});

describe('POST /images/:id/done', () => {
  it('prepares an image once for two that ask, and goes on when the first hangs up', async () => {
    const { backup } = inject('e2e');
    const { id } = await server.api.createImage(ANONYMISE);
    await upload(id, backup);
    const first = new AbortController();
    const hungUp = server.api.finaliseImage(id, first.signal).catch((error: unknown) => error);
    const second = server.api.finaliseImage(id);
    first.abort();
    expect(await hungUp).toMatchObject({ name: 'AbortError' });
    expect(await second).toMatchObject({
      status: 200,
      json: { data: { id: String(id), attributes: { ready: true } } },
    });
    const done = await server.process.waitForLines(
      ({ msg, imageId }) => msg === 'finalised image' && imageId === id,
    );
    expect(done).toHaveLength(1);
    expect(await server.api.getImage(id)).toMatchObject({ ready: true });
  });

  it('removes the upload, which holds the original data, once the image is ready', async () => {
    const { subvolumes } = await readHostState();
    expect(subvolumes).toContain(`image_snapshots/${inject('e2e').imageId}`);
    expect(subvolumes).not.toContain(`image_uploads/${inject('e2e').imageId}`);
  });
});

describe('DELETE /images/:id', () => {
  it('removes everything of the image', async () => {
    const before = await readHostState();
    const { id } = await server.api.createImage('');
    expect((await readHostState()).subvolumes).toContain(`image_uploads/${id}`);
    await server.api.destroyImage(id);
    expect(await readHostState()).toEqual(before);
    expect(await server.api.listImageIds()).not.toContain(id);
  });
});
