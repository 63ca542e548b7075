import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { VERSION } from './support/api.ts';
import { run } from './support/command.ts';
import { A_TIME, AN_ID, ERRORS } from './support/contract.ts';
import { readHostState } from './support/host-state.ts';
import { getInstallation, UPLOAD_USER } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { ANONYMISE } from './support/source.ts';
import { upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();
const JSON_HEADERS = { 'Content-Type': 'application/json' };

function newImage(attributes: Record<string, unknown>): object {
  return { data: { type: 'images', attributes } };
}

describe('POST /images', () => {
  it('makes an image that is not ready, in the shape of the contract', async () => {
    const body = newImage({ backed_up_at: '2017-05-01T14:00:00+02:00', anonymisation_script: 'SELECT 1;' });
    const answer = await server.api.send('POST', '/images', { as: 'upload', body, headers: JSON_HEADERS });
    expect(answer.status).toBe(201);
    expect(answer.json).toEqual({
      data: {
        type: 'images',
        id: AN_ID,
        attributes: {
          backed_up_at: '2017-05-01T12:00:00Z',
          created_at: A_TIME,
          ready: false,
          updated_at: A_TIME,
        },
      },
    });
  });

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

  it.each([
    ['no time', { anonymisation_script: '' }],
    ['no script', { backed_up_at: '2017-05-01T12:00:00Z' }],
    ['a day that does not exist', { backed_up_at: '2017-02-30T12:00:00Z', anonymisation_script: '' }],
    ['a time that is none', { backed_up_at: 'yesterday', anonymisation_script: '' }],
    ['a script that is no text', { backed_up_at: '2017-05-01T12:00:00Z', anonymisation_script: 1 }],
  ])('refuses %s, and makes nothing', async (_what, attributes) => {
    const before = [await readHostState(), await server.api.listImageIds()];
    const answer = await server.api.send('POST', '/images', { as: 'upload', body: newImage(attributes) });
    expect(answer.status).toBe(400);
    expect(answer.json).toEqual(ERRORS.invalidJson);
    expect([await readHostState(), await server.api.listImageIds()]).toEqual(before);
  });
});

describe('GET /images', () => {
  it('lists all images by id, to a developer and to the upload user alike', async () => {
    await server.api.createImage('');
    const [asDeveloper, asUpload] = await Promise.all([
      server.api.send('GET', '/images'),
      server.api.send('GET', '/images', { as: 'upload', insecure: true }),
    ]);
    expect(asDeveloper.status).toBe(200);
    expect(asDeveloper.json).toEqual(asUpload.json);
    const ids = await server.api.listImageIds();
    expect(ids).toContain(inject('e2e').imageId);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
  });

  it('shows one image as the list does', async () => {
    const { imageId } = inject('e2e');
    const { json: list } = await server.api.send('GET', '/images');
    const one = await server.api.send('GET', `/images/${imageId}`);
    expect(one.status).toBe(200);
    const listed = (list as { data: { id: string }[] }).data.find(({ id }) => id === String(imageId));
    expect(one.json).toEqual({ data: listed });
    expect(listed).toMatchObject({ type: 'images', attributes: { ready: true } });
  });
});

describe('POST /images/:id/done', () => {
  it('answers at once for an image that is ready, whatever the body', async () => {
    const path = `/images/${inject('e2e').imageId}/done`;
    for (const request of [
      {},
      { headers: JSON_HEADERS },
      { body: {} },
      { body: 'anything', insecure: true },
    ]) {
      const answer = await server.api.send('POST', path, { as: 'upload', ...request });
      expect(answer).toMatchObject({ status: 200, json: { data: { attributes: { ready: true } } } });
    }
  });

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
    const done = (await server.process.readLog()).filter(
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
  it('answers 204 with the content type and no body, and removes everything', async () => {
    const before = await readHostState();
    const { id } = await server.api.createImage('');
    expect((await readHostState()).subvolumes).toContain(`image_uploads/${id}`);
    const answer = await server.api.send('DELETE', `/images/${id}`, { as: 'upload', headers: JSON_HEADERS });
    expect(answer).toMatchObject({ status: 204, text: '' });
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.headers['draupnir-version']).toBe(VERSION);
    expect(await readHostState()).toEqual(before);
    expect((await server.api.send('GET', `/images/${id}`)).json).toEqual(ERRORS.notFound);
    expect((await server.api.send('DELETE', `/images/${id}`, { as: 'upload' })).json).toEqual(
      ERRORS.notFound,
    );
  });
});

describe('a developer', () => {
  it.each([
    ['POST', '/images', newImage({ backed_up_at: '2017-05-01T12:00:00Z', anonymisation_script: '' })],
    ['POST', '/images/ID/done', undefined],
    ['DELETE', '/images/ID', undefined],
  ])('may not %s %s', async (method, path, body) => {
    const before = [await readHostState(), await server.api.listImageIds()];
    const { imageId } = inject('e2e');
    const answer = await server.api.send(method, path.replace('ID', String(imageId)), { body });
    expect(answer.status).toBe(403);
    expect(answer.json).toMatchObject({ id: 'forbidden', code: 'forbidden', status: '403', source: {} });
    expect([await readHostState(), await server.api.listImageIds()]).toEqual(before);
  });
});
