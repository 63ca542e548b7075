import type { ImageResource, InstanceDocument, InstanceResource } from '../../../src/wire.ts';

/** An image as the API shows it. */
export function imageResource(
  id: number,
  attributes: Partial<ImageResource['attributes']> = {},
): ImageResource {
  return {
    type: 'images',
    id: String(id),
    attributes: {
      backed_up_at: '2017-05-01T12:00:00Z',
      created_at: '2017-05-01T15:00:00Z',
      ready: true,
      updated_at: '2017-05-01T16:00:00Z',
      ...attributes,
    },
  };
}

/** An instance as the API lists it. */
export function instanceResource(id: number): InstanceResource {
  return {
    type: 'instances',
    id: String(id),
    attributes: {
      hostname: 'db.example.com',
      image_id: 1,
      port: 16412,
      created_at: '2017-05-01T16:00:00Z',
      updated_at: '2017-05-01T16:00:00Z',
    },
  };
}

/** An instance with its credentials, as its owner gets it. */
export function instanceDocument(id: number): InstanceDocument {
  const attributes = {
    ca_certificate: 'the CA\n',
    client_certificate: 'the certificate\n',
    client_key: 'the key\n',
  };
  return { data: instanceResource(id), included: [{ type: 'credentials', id: String(id), attributes }] };
}
