import { describe, expect, inject, it } from 'vitest';
import { VERSION } from './support/api.ts';
import { A_NUMBER, A_PEM, A_TIME, AN_ID, ERRORS } from './support/contract.ts';
import { readHostState } from './support/host-state.ts';
import { query } from './support/instance-client.ts';
import { INSTANCE_PORTS } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();

function newInstance(imageId: unknown): object {
  return { data: { type: 'instances', attributes: { image_id: imageId } } };
}

describe('POST /instances', () => {
  it.each([
    ['a text', (id: number) => String(id), false],
    ['a number', (id: number) => id, true],
  ])('makes an instance of an image whose id is %s', async (_what, form, insecure) => {
    const { imageId } = inject('e2e');
    const answer = await server.api.send('POST', '/instances', {
      body: newInstance(form(imageId)),
      insecure,
    });
    expect(answer.status).toBe(201);
    expect(answer.headers['content-type']).toBe('application/json');
    const { id } = (answer.json as { data: { id: string } }).data;
    expect(answer.json).toEqual({
      data: {
        type: 'instances',
        id: AN_ID,
        attributes: {
          hostname: 'localhost',
          image_id: imageId,
          port: A_NUMBER,
          created_at: A_TIME,
          updated_at: A_TIME,
        },
        relationships: { credentials: { data: { type: 'credentials', id } } },
      },
      included: [
        {
          type: 'credentials',
          id,
          attributes: {
            ca_certificate: A_PEM,
            client_certificate: A_PEM,
            client_key: A_PEM,
          },
        },
      ],
    });
  });

  it('answers when the database takes connections with the credentials it gives', async () => {
    const instance = await server.api.createInstance(inject('e2e').imageId);
    expect(instance.port).toBeGreaterThanOrEqual(INSTANCE_PORTS.min);
    expect(instance.port).toBeLessThan(INSTANCE_PORTS.max);
    expect(await query(instance, 'SELECT current_user')).toEqual(['draupnir']);
  });

  it('gives several at once a port each', async () => {
    const { imageId } = inject('e2e');
    const instances = await Promise.all([1, 2, 3, 4].map(() => server.api.createInstance(imageId)));
    expect(new Set(instances.map(({ port }) => port)).size).toBe(4);
    const names = await Promise.all(
      instances.map((each) => query(each, `SELECT current_setting('cluster_name')`)),
    );
    expect(names).toEqual(instances.map(({ id }) => [`draupnir-instance-${id}`]));
  });

  it.each(['', 'abc', '1.5', '1e3', ' 1', null, true, [], {}, 1.5])(
    'refuses image id %j',
    async (imageId) => {
      const answer = await server.api.send('POST', '/instances', { body: newInstance(imageId) });
      expect(answer.status).toBe(400);
      expect(answer.json).toEqual(ERRORS.invalidImageId);
    },
  );

  it.each(['999999999', 999_999_999, '0', 0, -1, '9999999999'])('finds no image %j', async (imageId) => {
    const answer = await server.api.send('POST', '/instances', { body: newInstance(imageId) });
    expect(answer.status).toBe(404);
    expect(answer.json).toEqual(ERRORS.imageNotFound);
  });

  it('refuses an image that is not ready, and makes nothing', async () => {
    const { id } = await server.api.createImage('');
    const before = await readHostState();
    const answer = await server.api.send('POST', '/instances', { body: newInstance(id) });
    expect(answer.status).toBe(422);
    expect(answer.json).toEqual(ERRORS.imageNotReady);
    expect(await readHostState()).toEqual(before);
  });

  it('remembers the address of the caller', async () => {
    const { id } = await server.api.createInstance(inject('e2e').imageId);
    expect(
      await queryMetadata(`SELECT ip_address FROM whitelisted_addresses WHERE instance_id = ${id}`),
    ).toBe('127.0.0.1');
  });

  it('keeps the credentials readable in the metadata to nobody', async () => {
    const { id } = await server.api.createInstance(inject('e2e').imageId);
    const box = Buffer.from(
      await queryMetadata(`SELECT encode(credentials, 'hex') FROM instances WHERE id = ${id}`),
      'hex',
    );
    expect(box.length).toBeGreaterThan(1000);
    expect(box.toString('latin1')).not.toMatch(/BEGIN|PRIVATE|CERTIFICATE/);
  });
});

describe('GET /instances', () => {
  it('lists the own instances by id, without credentials', async () => {
    const instance = await server.api.createInstance(inject('e2e').imageId);
    const answer = await server.api.send('GET', '/instances');
    expect(answer.status).toBe(200);
    const { data } = answer.json as { data: { id: string }[] };
    const ids = data.map(({ id }) => Number(id));
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(data.at(-1)).toEqual({
      type: 'instances',
      id: String(instance.id),
      attributes: {
        hostname: 'localhost',
        image_id: instance.imageId,
        port: instance.port,
        created_at: instance.createdAt,
        updated_at: A_TIME,
      },
    });
    expect(Object.keys(answer.json as object)).toEqual(['data']);
  });

  it('is an empty list for one who has none', async () => {
    const answer = await server.api.send('GET', '/instances', { as: 'upload' });
    expect(answer.text).toBe('{"data":[]}');
  });

  it('gives the credentials of an own instance again', async () => {
    const instance = await server.api.createInstance(inject('e2e').imageId);
    expect(await server.api.getInstance(instance.id)).toEqual(instance);
  });
});

describe('the instance of another user', () => {
  it('does not exist', async () => {
    const { id } = await server.api.createInstance(inject('e2e').imageId, 'upload');
    expect(await server.api.listInstanceIds()).not.toContain(id);
    for (const method of ['GET', 'DELETE']) {
      const answer = await server.api.send(method, `/instances/${id}`);
      expect(answer.status, method).toBe(404);
      expect(answer.json, method).toEqual(ERRORS.notFound);
    }
    expect(await server.api.listInstanceIds('upload')).toContain(id);
  });

  it('is not shown to the upload user, who may destroy it all the same', async () => {
    const { id } = await server.api.createInstance(inject('e2e').imageId);
    expect((await server.api.send('GET', `/instances/${id}`, { as: 'upload' })).status).toBe(404);
    expect((await server.api.send('DELETE', `/instances/${id}`, { as: 'upload' })).status).toBe(204);
    expect(await server.api.listInstanceIds()).not.toContain(id);
  });
});

describe('DELETE /instances/:id', () => {
  it('answers 204 with the content type and no body, and ends process, data, configuration and port', async () => {
    const before = await readHostState();
    const instance = await server.api.createInstance(inject('e2e').imageId);
    expect((await readHostState()).ports).toContain(instance.port);
    const path = `/instances/${instance.id}`;
    const answer = await server.api.send('DELETE', path, { headers: { 'Content-Type': 'application/json' } });
    expect(answer).toMatchObject({ status: 204, text: '' });
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.headers['draupnir-version']).toBe(VERSION);
    expect(await readHostState()).toEqual(before);
    await expect(query(instance, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect((await server.api.send('GET', path)).json).toEqual(ERRORS.notFound);
    expect((await server.api.send('DELETE', path)).json).toEqual(ERRORS.notFound);
  });
});
