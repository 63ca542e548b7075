import { describe, expect, it } from 'vitest';
import type { InstanceStatus } from '../../../src/core/instance.ts';
import { createApp, errorObject, expectEnvelope } from './app-under-test.ts';

const NEW_IMAGE = JSON.stringify({
  data: { attributes: { backed_up_at: '2017-05-01T12:00:00Z', anonymisation_script: 'SELECT 1' } },
});

async function createAppWithImage() {
  const app = createApp();
  await app.send('upload', { method: 'POST', url: '/images', payload: NEW_IMAGE });
  return app;
}

describe('sparse fieldsets', () => {
  it.each([
    ['fields[images]=status,failure', { status: 'pending', failure: null }],
    ['fields[images]=ready', { ready: false }],
    ['fields[images]=progress', { progress: null }],
    ['fields%5Bimages%5D=status', { status: 'pending' }],
    ['fields[images]=', {}],
    ['fields[images]=ready&fields[images]=status', { ready: false, status: 'pending' }],
  ])('send exactly what %s names', async (query, attributes) => {
    const { send } = await createAppWithImage();
    const one = await send('ada', { method: 'GET', url: `/images/1?${query}` });
    expect(one.json()).toEqual({ data: { type: 'images', id: '1', attributes } });
    const list = await send('ada', { method: 'GET', url: `/images?${query}` });
    expect(list.json()).toEqual({ data: [{ type: 'images', id: '1', attributes }] });
  });

  it('of another type change nothing', async () => {
    const { send } = await createAppWithImage();
    const plain = await send('ada', { method: 'GET', url: '/images' });
    const other = await send('ada', { method: 'GET', url: '/images?fields[instances]=port' });
    expect(other.json()).toEqual(plain.json());
  });

  it.each(['nonsense', 'constructor', '__proto__', 'ready,Status'])(
    'with a name there is not (%s) are refused with those there are',
    async (names) => {
      const { send } = await createAppWithImage();
      const answer = await send('ada', { method: 'GET', url: `/images/1?fields[images]=${names}` });
      expectEnvelope(answer);
      expect(answer.statusCode).toBe(400);
      expect(answer.json()).toMatchObject({
        id: 'bad_request',
        detail:
          'fields[images] may name backed_up_at, created_at, error, failure, instances, progress, ready, status, updated_at',
      });
    },
  );

  it('name the instances of an image and their owners, for the upload user alone', async () => {
    const { send, imageStore, store } = createApp();
    const [image, other] = [imageStore.add('ready'), imageStore.add('ready')];
    const add = (userEmail: string, status: InstanceStatus, imageId = image) =>
      String(store.add({ imageId, userEmail, status }));
    const [ada, bob] = [add('ada@example.com', 'ready'), add('bob@example.com', 'creating')];
    add('', 'ready');
    add('bob@example.com', 'destroying');
    const upload = add('upload', 'stopped', other);

    const query = 'fields[images]=instances';
    const one = await send('upload', { url: `/images/${image}?${query}` });
    const instances = [
      { id: ada, owner: 'ada@example.com' },
      { id: bob, owner: 'bob@example.com' },
    ];
    expect(one.json()).toEqual({ data: { type: 'images', id: String(image), attributes: { instances } } });
    expect((await send('upload', { url: `/images?${query}` })).json()).toMatchObject({
      data: [{ attributes: { instances } }, { attributes: { instances: [{ id: upload, owner: 'upload' }] } }],
    });
    for (const url of [`/images/${image}?${query}`, `/images?${query}`]) {
      const refused = await send('ada', { url });
      expectEnvelope(refused);
      expect(refused.json()).toEqual(
        errorObject(
          'forbidden',
          403,
          'Forbidden',
          'only the upload user may see which instances an image has',
        ),
      );
    }
  });

  it('that cannot be sent keep anything from being made', async () => {
    const { send, images } = await createAppWithImage();
    const url = '/images?fields[images]=nonsense';
    const answer = await send('upload', { method: 'POST', url, payload: NEW_IMAGE });
    expect(answer.statusCode).toBe(400);
    expect(await images.list()).toHaveLength(1);
  });
});
