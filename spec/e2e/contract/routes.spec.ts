import { beforeAll, describe, expect, inject, it } from 'vitest';
import { A_TIME, expectAnswer } from '../support/contract.ts';
import { readHostState } from '../support/host-state.ts';
import { useServer } from '../support/use-server.ts';
import { IMAGE_ROWS, image } from './image-rows.ts';
import { INSTANCE_ROWS, instance } from './instance-rows.ts';
import { JSON_TYPE, type Made, NO_CONTENT, NOT_FOUND } from './row.ts';

/** Contract: HTTP API, "Routes" and "Extension rule": every route with every kind of input, by whom it is for. */
const server = useServer();

let made: Made;
beforeAll(async () => {
  const { imageId } = inject('e2e');
  made = {
    image: imageId,
    pending: (await server.api.createImage('')).id,
    instance: await server.api.createInstance(imageId),
    foreign: await server.api.createInstance(imageId, 'upload'),
  };
});

async function fill(line: string): Promise<[method: string, path: string]> {
  const spare = line.includes(':spare') ? (await server.api.createImage('')).id : 0;
  const ids = { image: made.image, pending: made.pending, spare };
  const all = { ...ids, instance: made.instance.id, foreign: made.foreign.id };
  const filled = Object.entries(all).reduce((text, [name, id]) => text.replace(`:${name}`, String(id)), line);
  const [method = '', path = ''] = filled.split(' ');
  return [method, path];
}

/** What a request that is refused must not change. */
async function readEverything(): Promise<unknown> {
  return [await server.api.listImageIds(), await server.api.listInstanceIds(), await readHostState()];
}

describe.each([
  ['https', false],
  ['http', true],
] as const)('%s', (_scheme, insecure) => {
  it.each([...IMAGE_ROWS, ...INSTANCE_ROWS])('$line $what', async ({ line, request = {}, expected }) => {
    const [method, path] = await fill(line);
    const before = await readEverything();
    const sent = typeof request === 'function' ? request(made) : request;
    const answer = await server.api.send(method, path, { insecure, ...sent });
    expectAnswer(answer, expected(made));
    if (answer.status >= 300) expect(await readEverything()).toEqual(before);
  });

  it('GET /health_check without version and token', async () => {
    const answer = await server.api.send('GET', '/health_check', { as: 'none', version: null, insecure });
    expectAnswer(answer, { status: 200, body: { status: 'ok' } });
    expect(answer.text).toBe('{"status":"ok"}');
  });

  it('GET /images by id, the same to everybody', async () => {
    const { json } = await server.api.send('GET', '/images', { insecure });
    const { data } = json as { data: { id: string }[] };
    const ids = data.map(({ id }) => Number(id));
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(ids).toEqual(expect.arrayContaining([made.image, made.pending]));
    const body = {
      data: ids.map((id) => image(String(id), { backed_up_at: A_TIME, ready: id === made.image })),
    };
    for (const as of ['developer', 'upload'] as const) {
      expectAnswer(await server.api.send('GET', '/images', { as, insecure }), { status: 200, body });
    }
  });

  it('GET /instances, the own ones by id, without credentials', async () => {
    const answer = await server.api.send('GET', '/instances', { as: 'upload', insecure });
    expectAnswer(answer, { status: 200, body: { data: [instance(made.foreign)] } });
    const { data } = (await server.api.send('GET', '/instances', { insecure })).json as {
      data: { id: string }[];
    };
    const ids = data.map(({ id }) => Number(id));
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(data[0]).toEqual(instance(made.instance));
    const named = await server.api.send('GET', '/instances?fields[instances]=status', {
      as: 'upload',
      insecure,
    });
    const one = { type: 'instances', id: String(made.foreign.id), attributes: { status: 'ready' } };
    expectAnswer(named, { status: 200, body: { data: [one] } });
  });

  it('HEAD as GET, without the body', async () => {
    const answer = await server.api.send('HEAD', '/images', { insecure });
    expectAnswer(answer, { status: 200, body: '' });
  });

  it.each([
    ['by its owner', 'developer', {}],
    ['by its owner, with a JSON content type', 'developer', JSON_TYPE],
    ['by the upload user, with a body', 'upload', { body: '{' }],
  ] as const)('DELETE /instances/:id %s', async (_what, as, request) => {
    const path = `/instances/${(await server.api.createInstance(made.image)).id}`;
    expectAnswer(await server.api.send('DELETE', path, { as, insecure, ...request }), NO_CONTENT);
    expectAnswer(await server.api.send('DELETE', path, { as, insecure }), NOT_FOUND);
    expectAnswer(await server.api.send('GET', path, { insecure }), NOT_FOUND);
  });
});

describe('lists of nothing', () => {
  it('are empty lists', async () => {
    await server.api.destroyInstance(made.foreign.id);
    const answer = await server.api.send('GET', '/instances', { as: 'upload' });
    expectAnswer(answer, { status: 200, body: { data: [] } });
    expect(answer.text).toBe('{"data":[]}');
  });
});
