import type { ApiRequest, Instance } from '../support/api.ts';
import { A_NUMBER, A_PEM, A_TIME, AN_ID, ERRORS, type Expected } from '../support/contract.ts';
import { INVALID_JSON, JSON_TYPE, type Made, NOT_FOUND, type Row, UNKNOWN_FIELD, UPLOAD } from './row.ts';

function newInstance(imageId: unknown): ApiRequest {
  return { body: { data: { type: 'instances', attributes: { image_id: imageId } } } };
}

function attributesOf({ imageId, port, createdAt }: Instance): object {
  return { hostname: 'localhost', image_id: imageId, port, created_at: createdAt, updated_at: A_TIME };
}

/** An instance's resource, without its credentials. */
export function instance(own: Instance): object {
  return { type: 'instances', id: String(own.id), attributes: attributesOf(own) };
}

/** A document with credentials; those of `given`, or any. */
function withCredentials(id: unknown, attributes: object, given?: Instance['credentials']): object {
  const { ca, cert, key } = given ?? { ca: A_PEM, cert: A_PEM, key: A_PEM };
  return {
    data: {
      type: 'instances',
      id,
      attributes,
      relationships: { credentials: { data: { type: 'credentials', id } } },
    },
    included: [
      {
        type: 'credentials',
        id,
        attributes: { ca_certificate: ca, client_certificate: cert, client_key: key },
      },
    ],
  };
}

const created = (imageId: number): Expected => {
  const attributes = { hostname: 'localhost', image_id: imageId, port: A_NUMBER };
  const times = { created_at: A_TIME, updated_at: A_TIME };
  return { status: 201, body: withCredentials(AN_ID, { ...attributes, ...times }) };
};
const shown = ({ instance: own }: Made): Expected => ({
  status: 200,
  body: withCredentials(String(own.id), attributesOf(own), own.credentials),
});
const BAD_IMAGE_IDS: unknown[] = [
  '',
  'abc',
  '1.5',
  '1e3',
  '0x1',
  ' 1',
  '1;rm',
  null,
  true,
  [],
  [1],
  {},
  1.5,
  1e21,
];
const UNKNOWN_IMAGE_IDS: unknown[] = [
  '999999999',
  999_999_999,
  '0',
  0,
  -1,
  '-1',
  '9999999999',
  '9'.repeat(400),
];

/** `/instances` and below. */
export const INSTANCE_ROWS: Row[] = [
  {
    what: 'with a text for image_id',
    line: 'POST /instances',
    request: ({ image: id }) => newInstance(String(id)),
    expected: ({ image: id }) => created(id),
  },
  {
    what: 'with a number for image_id, and a JSON content type',
    line: 'POST /instances',
    request: ({ image: id }) => ({ ...newInstance(id), ...JSON_TYPE }),
    expected: ({ image: id }) => created(id),
  },
  {
    what: 'with neither type nor content type',
    line: 'POST /instances',
    request: ({ image: id }) => ({ body: { data: { attributes: { image_id: id } } } }),
    expected: ({ image: id }) => created(id),
  },
  {
    what: 'without image_id',
    line: 'POST /instances',
    request: { body: { data: { type: 'instances', attributes: {} } } },
    expected: () => INVALID_JSON,
  },
  ...BAD_IMAGE_IDS.map((id) => ({
    what: `with image_id ${JSON.stringify(id)}`,
    line: 'POST /instances',
    request: newInstance(id),
    expected: () => ({ status: 400, body: ERRORS.invalidImageId }),
  })),
  ...UNKNOWN_IMAGE_IDS.map((id) => ({
    what: `with image_id ${JSON.stringify(id)}`,
    line: 'POST /instances',
    request: newInstance(id),
    expected: () => ({ status: 404, body: ERRORS.imageNotFound }),
  })),
  {
    what: 'of an image that is not ready',
    line: 'POST /instances',
    request: ({ pending }) => newInstance(pending),
    expected: () => ({ status: 422, body: ERRORS.imageNotReady }),
  },
  {
    what: 'naming a field there is not, which makes nothing',
    line: 'POST /instances?fields[instances]=colour',
    request: ({ image: id }) => newInstance(id),
    expected: () => UNKNOWN_FIELD,
  },
  { what: 'an own one', line: 'GET /instances/:instance', expected: shown },
  { what: 'of another user', line: 'GET /instances/:foreign', expected: () => NOT_FOUND },
  {
    what: 'by the upload user',
    line: 'GET /instances/:instance',
    request: UPLOAD,
    expected: () => NOT_FOUND,
  },
  {
    what: 'naming fields',
    line: 'GET /instances/:instance?fields[instances]=port,status',
    expected: ({ instance: { id, port, credentials } }) => ({
      status: 200,
      body: withCredentials(String(id), { port, status: 'ready' }, credentials),
    }),
  },
  {
    what: 'naming a field there is not',
    line: 'GET /instances/:instance?fields[instances]=refresh_token',
    expected: () => UNKNOWN_FIELD,
  },
  { what: 'of another user', line: 'DELETE /instances/:foreign', expected: () => NOT_FOUND },
];
