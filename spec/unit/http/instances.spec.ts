import { beforeEach, describe, expect, it } from 'vitest';
import { createApp, errorObject, expectEnvelope, NOT_FOUND, type AppUnderTest } from './app-under-test.ts';

let api: AppUnderTest;
beforeEach(() => {
  api = createApp();
  api.imageStore.add('ready');
});

const post = (imageId: unknown) => ({
  method: 'POST' as const,
  url: '/instances',
  payload: { data: { type: 'instances', attributes: { image_id: imageId } } },
});

const RESOURCE = {
  type: 'instances',
  id: '1',
  attributes: {
    hostname: 'db.example.com',
    image_id: 1,
    port: 6000,
    created_at: '2017-05-01T16:00:00Z',
    updated_at: '2017-05-01T16:00:00Z',
  },
};
const DOCUMENT = {
  data: { ...RESOURCE, relationships: { credentials: { data: { type: 'credentials', id: '1' } } } },
  included: [
    {
      type: 'credentials',
      id: '1',
      attributes: {
        ca_certificate: 'ca certificate 1',
        client_certificate: 'client certificate 1',
        client_key: 'client key 1',
      },
    },
  ],
};

describe('POST /instances', () => {
  it.each(['1', 1])('makes an instance of image %j with its credentials', async (id) => {
    const response = await api.send('ada', { ...post(id), remoteAddress: '192.0.2.7' });
    expect(response.statusCode).toBe(201);
    expect(response.json()).toEqual(DOCUMENT);
    expectEnvelope(response);
    expect(api.allowList.admitted).toEqual([{ instanceId: 1, address: '192.0.2.7' }]);
  });

  it.each(['', 'x', ' 1', '1 ', '1.0', '1e0', '0x1', '+1', 1.5, 1e21, null, true, [1], {}, '1\n'])(
    'answers that %j is no image id',
    async (id) => {
      const response = await api.send('ada', post(id));
      expect(response.statusCode).toBe(400);
      expect(response.json()).toEqual(
        errorObject('bad_request', 400, 'Bad Request', 'The image ID provided is not valid', {
          parameter: 'image_id',
        }),
      );
      expect(api.steps.taken).toEqual([]);
    },
  );

  it.each(['2', 2, 0, -1, '-1', '99999999999999999999', 1e20])(
    'answers that there is no image %j',
    async (id) => {
      const response = await api.send('ada', post(id));
      expect(response.statusCode).toBe(404);
      expect(response.json()).toEqual(
        errorObject(
          'resource_not_found',
          404,
          'Image Not Found',
          'The image you specified could not be found',
        ),
      );
    },
  );

  it('answers that an image is not ready', async () => {
    api.imageStore.add('pending');
    const response = await api.send('ada', post('2'));
    expect(response.statusCode).toBe(422);
    expect(response.json()).toEqual(
      errorObject(
        'unprocessable_entity',
        422,
        'Image Not Ready',
        'The specified image is not ready to be used',
        {
          parameter: 'image_id',
        },
      ),
    );
  });

  it('answers 503 with a time to come back when no port is free', async () => {
    for (let i = 0; i < 4; i++) expect((await api.send('ada', post('1'))).statusCode).toBe(201);
    const response = await api.send('ada', post('1'));
    expect(response.statusCode).toBe(503);
    expect(response.headers['retry-after']).toBe('5');
    expect(response.json()).toEqual(
      errorObject('no_free_port', 503, 'No Free Port', 'all ports from 6000 to 6003 are taken'),
    );
    expectEnvelope(response);
  });
});

describe('an instance', () => {
  beforeEach(async () => {
    await api.send('ada', post('1'));
  });

  it('is shown to its owner as when it was made; the address is remembered', async () => {
    const response = await api.send('ada', { url: '/instances/1', remoteAddress: '2001:db8::9' });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual(DOCUMENT);
    expectEnvelope(response);
    expect(api.allowList.admitted.at(-1)).toEqual({ instanceId: 1, address: '2001:db8::9' });
  });

  it.each([
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:192.0.2.7', '192.0.2.7'],
    ['fe80::1%eth0', 'fe80::1'],
  ])('remembers %s, as a listener of both families sees it, as %s', async (seen, remembered) => {
    await api.send('ada', { url: '/instances/1', remoteAddress: seen });
    expect(api.allowList.admitted.at(-1)).toEqual({ instanceId: 1, address: remembered });
  });

  it('is listed for its owner, without credentials', async () => {
    const response = await api.send('ada', { url: '/instances' });
    expect(response.json()).toEqual({ data: [RESOURCE] });
    expectEnvelope(response);
  });

  it.each(['bob', 'upload'] as const)('does not exist for %s', async (other) => {
    expect((await api.send(other, { url: '/instances' })).body).toBe('{"data":[]}');
    expect((await api.send(other, { url: '/instances/1' })).json()).toEqual(NOT_FOUND);
  });

  it('cannot be destroyed by another developer', async () => {
    const response = await api.send('bob', { method: 'DELETE', url: '/instances/1' });
    expect(response.json()).toEqual(NOT_FOUND);
    expect(api.store.rows.size).toBe(1);
  });

  it.each(['ada', 'upload'] as const)('can be destroyed by %s', async (caller) => {
    const response = await api.send(caller, { method: 'DELETE', url: '/instances/1' });
    expect(response.statusCode).toBe(204);
    expect(response.body).toBe('');
    expectEnvelope(response);
    expect(api.store.rows.size).toBe(0);
  });

  it.each([undefined, '', '{"broken', '[]', '{"data":{}}'])(
    'gets new credentials from its owner, whatever the body is: %j',
    async (payload) => {
      const request = {
        method: 'POST' as const,
        url: '/instances/1/credentials',
        remoteAddress: '192.0.2.9',
      };
      const response = await api.send('ada', payload === undefined ? request : { ...request, payload });
      expect(response.statusCode).toBe(201);
      expectEnvelope(response);
      const attributes = {
        ca_certificate: 'ca certificate 1, new 1',
        client_certificate: 'client certificate 1, new 1',
        client_key: 'client key 1, new 1',
      };
      expect(response.json()).toEqual({ ...DOCUMENT, included: [{ ...DOCUMENT.included[0], attributes }] });
      expect(api.allowList.admitted.at(-1)).toEqual({ instanceId: 1, address: '192.0.2.9' });
      expect((await api.send('ada', { url: '/instances/1' })).json()).toEqual(response.json());
    },
  );

  it.each(['bob', 'upload'] as const)(
    'gets no new credentials from %s, for whom it does not exist',
    async (other) => {
      const response = await api.send(other, { method: 'POST', url: '/instances/1/credentials' });
      expect(response.statusCode).toBe(404);
      expect(response.json()).toEqual(NOT_FOUND);
      expect(api.certificates.served.size).toBe(0);
    },
  );

  it.each(['2', '0x1', '1e0', '%201'])('with the id %s is 404', async (id) => {
    for (const method of ['GET', 'DELETE'] as const) {
      expect((await api.send('ada', { method, url: `/instances/${id}` })).json()).toEqual(NOT_FOUND);
    }
    const rotated = await api.send('ada', { method: 'POST', url: `/instances/${id}/credentials` });
    expect(rotated.json()).toEqual(NOT_FOUND);
  });
});
