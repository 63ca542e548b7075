import { expect, inject } from 'vitest';
import { type Answer, Api, type Instance } from '../../support/api.ts';
import { query } from '../../support/instance-client.ts';
import { getInstallation } from '../../support/installation.ts';
import { queryMetadata } from '../../support/metadata.ts';
import { ANONYMISE } from '../../support/source.ts';
import { upload } from '../../support/upload.ts';

/** Something that is asked of the server, and again until it is done. */
export interface Operation {
  /** Whether it takes many seconds. */
  isLong?: boolean;
  /** Makes what it needs; resolves to the id of its object, or 0 where it makes one itself. */
  prepare(): Promise<number>;
  ask(id: number): Promise<Answer>;
  /** Whether the answer says that it is done. */
  isDone(answer: Answer): boolean;
  /** Whether what was promised is there. Throws when it is not. */
  verify(id: number, answer: Answer): Promise<void>;
}

const api = () => new Api(getInstallation());

async function makeImage(): Promise<number> {
  const { id } = await api().createImage(ANONYMISE);
  await upload(id, inject('e2e').backup);
  return id;
}

function bodyOf(type: string, attributes: object): { body: object } {
  return { body: { data: { type, attributes } } };
}

function readId({ json }: Answer): number {
  return Number((json as { data: { id: string } }).data.id);
}

/** What is destroyed is gone, whether we are told so or find nobody to destroy any more. */
const isGone = ({ status }: Answer): boolean => status === 204 || status === 404;

/** An instance that works holds the anonymised data of its image. */
async function expectWorking(instance: Instance): Promise<void> {
  expect(await query(instance, 'SELECT email FROM customers WHERE id = 1')).toEqual([
    'customer-1@anonymous.invalid',
  ]);
}

const CREATE_INSTANCE: Operation = {
  prepare: () => Promise.resolve(0),
  ask: () =>
    api().send('POST', '/instances', bodyOf('instances', { image_id: String(inject('e2e').imageId) })),
  isDone: ({ status }) => status === 201,
  verify: async (_id, answer) => expectWorking(await api().getInstance(readId(answer))),
};

const DESTROY_INSTANCE: Operation = {
  prepare: async () => (await api().createInstance(inject('e2e').imageId)).id,
  ask: (id) => api().send('DELETE', `/instances/${id}`),
  isDone: isGone,
  verify: async (id) => expect(await queryMetadata(`SELECT id FROM instances WHERE id = ${id}`)).toBe(''),
};

const CREATE_IMAGE: Operation = {
  prepare: () => Promise.resolve(0),
  ask: () => {
    const script = { backed_up_at: '2026-05-01T12:00:00Z', anonymisation_script: ANONYMISE };
    return api().send('POST', '/images', { as: 'upload', ...bodyOf('images', script) });
  },
  isDone: ({ status }) => status === 201,
  // The backup can be copied to where it belongs.
  verify: (_id, answer) => upload(readId(answer), inject('e2e').backup),
};

const FINALISE_IMAGE: Operation = {
  isLong: true,
  prepare: makeImage,
  ask: (id) => api().finaliseImage(id),
  isDone: ({ status }) => status === 200,
  verify: async (id) => expect(await api().getImage(id)).toMatchObject({ ready: true }),
};

const DESTROY_IMAGE: Operation = {
  prepare: makeImage,
  ask: (id) => api().send('DELETE', `/images/${id}`, { as: 'upload' }),
  isDone: isGone,
  verify: async (id) => expect(await queryMetadata(`SELECT id FROM images WHERE id = ${id}`)).toBe(''),
};

export const OPERATIONS = {
  'create an instance': CREATE_INSTANCE,
  'destroy an instance': DESTROY_INSTANCE,
  'create an image and upload': CREATE_IMAGE,
  'finalise an image': FINALISE_IMAGE,
  'destroy an image': DESTROY_IMAGE,
};

/** Destroys all instances and images but the shared one, whoever they belong to. */
export async function clear(): Promise<void> {
  const instances = await queryMetadata('SELECT id FROM instances');
  for (const id of instances.split('\n').filter(Boolean)) await api().destroyInstance(Number(id));
  const images = await queryMetadata(`SELECT id FROM images WHERE id <> ${inject('e2e').imageId}`);
  for (const id of images.split('\n').filter(Boolean)) await api().destroyImage(Number(id));
}
