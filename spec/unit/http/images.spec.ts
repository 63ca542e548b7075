import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/core/errors.ts';
import {
  createApp,
  errorObject,
  expectEnvelope,
  INTERNAL,
  INVALID_JSON,
  NOT_FOUND,
} from './app-under-test.ts';

const ATTRIBUTES = {
  backed_up_at: '2017-05-01T12:00:00Z',
  created_at: '2017-05-01T12:00:00Z',
  updated_at: '2017-05-01T12:00:00Z',
};
const NEW = {
  data: {
    type: 'images',
    attributes: { backed_up_at: '2017-05-01T12:00:00Z', anonymisation_script: 'SELECT 1' },
  },
};
const create = (attributes: object) => ({
  method: 'POST' as const,
  url: '/images',
  payload: JSON.stringify({ data: { attributes: { ...NEW.data.attributes, ...attributes } } }),
});

describe('GET /images', () => {
  it('is an empty list when there is none', async () => {
    const { send } = createApp();
    const response = await send('ada', { url: '/images' });
    expect(response.statusCode).toBe(200);
    expect(response.body).toBe('{"data":[]}');
    expectEnvelope(response);
  });

  it('lists images in the shape of the contract', async () => {
    const { send, imageStore } = createApp();
    imageStore.add('ready');
    imageStore.add('failed');
    imageStore.add('destroying');
    expect((await send('ada', { url: '/images' })).json()).toEqual({
      data: [
        { type: 'images', id: '1', attributes: { ...ATTRIBUTES, ready: true } },
        { type: 'images', id: '2', attributes: { ...ATTRIBUTES, ready: false } },
      ],
    });
  });
});

describe('GET /images/:id', () => {
  it('is one image', async () => {
    const { send, imageStore } = createApp();
    imageStore.add('finalising');
    const response = await send('bob', { url: '/images/1' });
    expect(response.json()).toEqual({
      data: { type: 'images', id: '1', attributes: { ...ATTRIBUTES, ready: false } },
    });
    expectEnvelope(response);
  });

  it.each([
    '2',
    '0',
    '01',
    '-1',
    '+1',
    '1.0',
    '0x1',
    '1e0',
    '%201',
    '1%20',
    '1;rm',
    'abc',
    '%00',
    '9'.repeat(10),
    '1'.repeat(200),
    '%C3%BC',
    '1%2F..',
  ])('is 404 for the id %s', async (id) => {
    const { send, imageStore } = createApp();
    imageStore.add('ready');
    const response = await send('ada', { url: `/images/${id}` });
    expect(response.json()).toEqual(NOT_FOUND);
    expect(response.statusCode).toBe(404);
    expectEnvelope(response);
  });
});

describe('POST /images', () => {
  it('makes an image and answers 201', async () => {
    const { send, imageStore } = createApp();
    const response = await send('upload', { method: 'POST', url: '/images', payload: NEW });
    expect(response.statusCode).toBe(201);
    expect(response.json()).toEqual({
      data: { type: 'images', id: '1', attributes: { ...ATTRIBUTES, ready: false } },
    });
    expectEnvelope(response);
    expect(imageStore.rows.get(1)).toMatchObject({ script: 'SELECT 1' });
  });

  it('is forbidden to developers', async () => {
    const { send, imageStore } = createApp();
    const response = await send('ada', { method: 'POST', url: '/images', payload: NEW });
    expect(response.json()).toEqual(
      errorObject('forbidden', 403, 'Forbidden', 'only the upload user may change images'),
    );
    expect(response.statusCode).toBe(403);
    expect(imageStore.rows.size).toBe(0);
  });

  it.each([
    { backed_up_at: 'yesterday' },
    { backed_up_at: '2017-05-01' },
    { backed_up_at: '2017-02-30T12:00:00Z' },
    { backed_up_at: '2017-12-31T23:59:60Z' },
    { backed_up_at: 1_493_640_000 },
    { backed_up_at: null },
    { anonymisation_script: 1 },
    { anonymisation_script: null },
    { verification_script: null },
    { verification_script: 'SELECT 1\0' },
    // Postgres has no text with this character in it.
    { anonymisation_script: 'SELECT 1\0' },
  ])('is refused with %j', async (attributes) => {
    const { send, imageStore } = createApp();
    const response = await send('upload', create(attributes));
    expect(response.json()).toEqual(INVALID_JSON);
    expect(imageStore.rows.size).toBe(0);
  });

  it('takes a verification script, and shows it to nobody', async () => {
    const { send, imageStore } = createApp();
    const script = 'SELECT FROM people WHERE real;';
    const response = await send('upload', create({ verification_script: script }));
    expect(response.json()).toEqual({
      data: { type: 'images', id: '1', attributes: { ...ATTRIBUTES, ready: false } },
    });
    expect(imageStore.rows.get(1)).toMatchObject({ verification: script });
  });

  it.each([
    [
      { anonymisation_script: "SELECT '\ud83d'" },
      'anonymisation_script holds a lone surrogate: send it as well-formed Unicode',
    ],
    [
      { verification_script: "SELECT '\udc18'" },
      'verification_script holds a lone surrogate: send it as well-formed Unicode',
    ],
    [
      { verification_script: 'SELECT 1;\nDELETE FROM people;' },
      'verification_script: line 2 is no query: write SELECT, WITH, VALUES or TABLE',
    ],
  ])('says what is wrong with a script: %j', async (attributes, detail) => {
    const { send, imageStore } = createApp();
    const response = await send('upload', create(attributes));
    expect(response.statusCode).toBe(400);
    expect(response.json()).toEqual(errorObject('bad_request', 400, 'Invalid Script', detail));
    expectEnvelope(response);
    expect(imageStore.rows.size).toBe(0);
  });

  it('keeps the time, to the second, whatever its zone', async () => {
    const { send } = createApp();
    const response = await send('upload', create({ backed_up_at: '2017-05-01T14:00:00.789+02:00' }));
    expect(response.json()).toMatchObject({ data: { attributes: { backed_up_at: '2017-05-01T12:00:00Z' } } });
  });

  it('never fails on what a client sends', async () => {
    const { send } = createApp();
    const value = fc.oneof(
      fc.jsonValue(),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    );
    await fc.assert(
      fc.asyncProperty(value, value, async (time, script) => {
        const response = await send('upload', create({ backed_up_at: time, anonymisation_script: script }));
        expect([201, 400]).toContain(response.statusCode);
        expectEnvelope(response);
      }),
    );
  });
});

describe('POST /images/:id/done', () => {
  it.each([undefined, '{}', '{"data":{}}'])(
    'ignores its body (%s) and answers with the ready image',
    async (payload) => {
      const { send, imageStore } = createApp();
      imageStore.add('pending');
      const body = payload === undefined ? {} : { payload };
      const response = await send('upload', { method: 'POST', url: '/images/1/done', ...body });
      expect(response.statusCode).toBe(200);
      expect(response.json()).toEqual({
        data: { type: 'images', id: '1', attributes: { ...ATTRIBUTES, ready: true } },
      });
      expectEnvelope(response);
    },
  );

  it('is forbidden to developers, and 404 for an unknown image', async () => {
    const { send } = createApp();
    expect((await send('ada', { method: 'POST', url: '/images/1/done' })).statusCode).toBe(403);
    expect((await send('upload', { method: 'POST', url: '/images/1/done' })).json()).toEqual(NOT_FOUND);
  });

  const done = (headers: object = { prefer: 'respond-async' }) => ({
    method: 'POST' as const,
    url: '/images/1/done',
    headers: { ...headers },
  });

  it.each(['respond-async', 'Respond-Async', 'handling=lenient, respond-async; wait=5'])(
    'answers 202 at once with Prefer: %s, and joins what is under way',
    async (prefer) => {
      const { send, imageStore, imageDisk, images } = createApp();
      imageStore.add('pending');
      imageDisk.neverEnds = true;
      for (let count = 0; count < 2; count++) {
        const response = await send('upload', done({ prefer }));
        expect(response.statusCode).toBe(202);
        expect(response.headers).toMatchObject({
          'preference-applied': 'respond-async',
          location: '/images/1',
        });
        expect(response.json()).toEqual({
          data: { type: 'images', id: '1', attributes: { ...ATTRIBUTES, ready: false } },
        });
        expectEnvelope(response);
      }
      await images.close();
      expect(imageDisk.scripts).toHaveLength(1);
    },
  );

  it('answers 200 with Prefer: respond-async when the image is ready', async () => {
    const { send, imageStore } = createApp();
    imageStore.add('ready');
    expect((await send('upload', done())).statusCode).toBe(200);
  });

  it.each([
    ['an expected failure', new DomainError('finalise_failed', 'line 3: 42P01')],
    ['a full volume', new DomainError('storage_unavailable', 'the volume is not mounted')],
    ['an unforeseen failure', new Error('the disk has the serial number 4711')],
  ])('leaves the error that a waiting client gets, to be asked for: %s', async (_what, cause) => {
    const { send, imageStore, steps } = createApp();
    imageStore.add('pending');
    imageStore.add('pending');
    const url = (id: number) => `/images/${id}?fields[images]=status,error`;
    expect((await send('upload', { url: url(1) })).json()).toMatchObject({
      data: { attributes: { status: 'pending', error: null } },
    });
    steps.failOnce('disk.finaliseImage', cause);
    const waited = await send('upload', { method: 'POST', url: '/images/2/done' });
    expect(waited.statusCode).toBeGreaterThanOrEqual(400);
    const follow = async (id: number): Promise<unknown> =>
      (await send('upload', { url: url(id) })).json<{ data: { attributes: unknown } }>().data.attributes;
    expect(await follow(2)).toEqual({ status: 'failed', error: waited.json<unknown>() });
    steps.failOnce('disk.finaliseImage', cause);
    await send('upload', done());
    await expect.poll(() => follow(1)).toEqual({ status: 'failed', error: waited.json<unknown>() });
    // Asked for again: the old failure is gone at once.
    const hold = steps.hold('disk.finaliseImage');
    expect((await send('upload', done())).statusCode).toBe(202);
    expect(await follow(1)).toEqual({ status: 'finalising', error: null });
    hold.release();
    await expect.poll(() => follow(1)).toEqual({ status: 'ready', error: null });
  });

  it('reports a failure that an earlier version has recorded as one of the preparation', async () => {
    const { send, imageStore } = createApp();
    imageStore.add('failed');
    const { json } = await send('upload', { url: '/images/1?fields[images]=error' });
    expect(json()).toMatchObject({ data: { attributes: { error: { id: 'finalise_failed' } } } });
  });

  it('tells clients to come back when the server goes down', async () => {
    const { send, imageStore, images } = createApp();
    imageStore.add('pending');
    await images.close();
    const response = await send('upload', { method: 'POST', url: '/images/1/done' });
    expect(response.statusCode).toBe(503);
    expect(response.headers['retry-after']).toMatch(/^\d+$/);
    expect(response.json()).toMatchObject({ id: 'shutting_down' });
  });
});

describe('PATCH /images/:id', () => {
  const patch = (attributes: object) => ({
    method: 'PATCH' as const,
    url: '/images/1',
    payload: { data: { type: 'images', attributes } },
  });

  it.each(['pending', 'failed'] as const)(
    'replaces the scripts that are given of an image that is %s',
    async (status) => {
      const { send, imageStore } = createApp();
      imageStore.add(status, 'SELECT nothing', 0, 'SELECT 1');
      const response = await send('upload', patch({ anonymisation_script: 'SELECT 2' }));
      expect(response.statusCode).toBe(200);
      expect(response.json()).toMatchObject({
        data: { type: 'images', id: '1', attributes: { ready: false } },
      });
      expect(imageStore.rows.get(1)).toMatchObject({ status, script: 'SELECT 2', verification: 'SELECT 1' });
      expect((await send('upload', patch({ verification_script: 'SELECT 3' }))).statusCode).toBe(200);
      expect(imageStore.rows.get(1)).toMatchObject({ status, script: 'SELECT 2', verification: 'SELECT 3' });
    },
  );

  it.each([
    ['ready', 'the image is ready, its scripts have been used: create another image'],
    ['finalising', 'the image is being finalised: wait for its end, then correct its scripts'],
  ] as const)('is refused while the image is %s', async (status, detail) => {
    const { send, imageStore } = createApp();
    imageStore.add(status);
    const response = await send('upload', patch({ anonymisation_script: 'SELECT 2' }));
    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ id: 'image_busy', detail });
    expect(imageStore.rows.get(1)).toMatchObject({ script: 'SELECT 1' });
  });

  it.each([
    ['nothing', {}, 400],
    ['a name that there is not', { anonymization_script: 'SELECT 2' }, 400],
    ['what is no script', { anonymisation_script: 1 }, 400],
    ['what Postgres cannot keep', { anonymisation_script: 'a\0b' }, 400],
    ['what is no query', { verification_script: 'DELETE FROM people' }, 400],
  ])('refuses %s', async (_what, attributes, status) => {
    const { send, imageStore } = createApp();
    imageStore.add('failed');
    expect((await send('upload', patch(attributes))).statusCode).toBe(status);
    expect(imageStore.rows.get(1)).toMatchObject({ script: 'SELECT 1', verification: '' });
  });

  it('is forbidden to developers, and finds no image that does not exist', async () => {
    const { send, imageStore } = createApp();
    const correction = patch({ anonymisation_script: 'SELECT 2' });
    expect((await send('upload', correction)).json()).toEqual(NOT_FOUND);
    imageStore.add('failed');
    expect((await send('ada', correction)).statusCode).toBe(403);
    expect(imageStore.rows.get(1)).toMatchObject({ script: 'SELECT 1' });
  });
});

describe('DELETE /images/:id', () => {
  it('answers an empty 204, also when a JSON content type comes with it', async () => {
    const { send, imageStore } = createApp();
    imageStore.add('ready');
    const response = await send('upload', {
      method: 'DELETE',
      url: '/images/1',
      headers: { 'content-type': 'application/json' },
    });
    expect(response.statusCode).toBe(204);
    expect(response.body).toBe('');
    expectEnvelope(response);
    expect(imageStore.rows.size).toBe(0);
    expect((await send('upload', { method: 'DELETE', url: '/images/1' })).json()).toEqual(NOT_FOUND);
  });

  it('is forbidden to developers', async () => {
    const { send, imageStore } = createApp();
    imageStore.add('ready');
    expect((await send('ada', { method: 'DELETE', url: '/images/1' })).statusCode).toBe(403);
    expect(imageStore.rows.size).toBe(1);
  });

  it('says nothing of the cause when something unforeseen happens, and logs it once', async () => {
    const { send, imageStore, steps, log } = createApp();
    imageStore.add('ready');
    const cause = new Error('the disk has the serial number 4711');
    steps.failOnce('disk.destroyImage', cause);
    const response = await send('upload', { method: 'DELETE', url: '/images/1' });
    expect(response.statusCode).toBe(500);
    expect(response.json()).toEqual(INTERNAL);
    expectEnvelope(response);
    expect(log.at('error')).toEqual([
      {
        level: 'error',
        message: 'request failed',
        fields: { requestId: expect.any(String) as string, err: cause },
      },
    ]);
  });
});
