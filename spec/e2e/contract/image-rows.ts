import type { ApiRequest } from '../support/api.ts';
import { A_TIME, AN_ID, type Expected, ownError } from '../support/contract.ts';
import { INVALID_JSON, JSON_TYPE, type Made, NO_CONTENT, type Row, UNKNOWN_FIELD, UPLOAD } from './row.ts';

const BACKED_UP_AT = '2026-05-01T12:00:00Z';

function newImage(attributes: object, data: object = { type: 'images' }): ApiRequest {
  return { as: 'upload', body: { data: { ...data, attributes } } };
}

/** An image's resource. */
export function image(id: unknown, attributes: object): object {
  const times = { backed_up_at: BACKED_UP_AT, created_at: A_TIME, updated_at: A_TIME };
  return { type: 'images', id, attributes: { ...times, ...attributes } };
}

const newPending = (backedUpAt = BACKED_UP_AT): Expected => ({
  status: 201,
  body: { data: image(AN_ID, { backed_up_at: backedUpAt, ready: false }) },
});
const ready = ({ image: id }: Made): Expected => ({
  status: 200,
  body: { data: image(String(id), { ready: true }) },
});

const GOOD_IMAGE = { backed_up_at: BACKED_UP_AT, anonymisation_script: '' };
const BAD_IMAGES: [string, unknown][] = [
  ['no time', { anonymisation_script: '' }],
  ['no script', { backed_up_at: BACKED_UP_AT }],
  ['a day that does not exist', { ...GOOD_IMAGE, backed_up_at: '2017-02-30T12:00:00Z' }],
  ['a time that is none', { ...GOOD_IMAGE, backed_up_at: 'yesterday' }],
  ['a time without zone', { ...GOOD_IMAGE, backed_up_at: '2017-05-01T12:00:00' }],
  ['a number for a time', { ...GOOD_IMAGE, backed_up_at: 1493640000 }],
  ['a script that is no text', { ...GOOD_IMAGE, anonymisation_script: 1 }],
  ['a script that is null', { ...GOOD_IMAGE, anonymisation_script: null }],
  ['a script with a NUL', { ...GOOD_IMAGE, anonymisation_script: 'SELECT 1;\0' }],
];
/** `/images` and below. */
export const IMAGE_ROWS: Row[] = [
  {
    what: 'with offset and fraction of the time',
    line: 'POST /images',
    request: newImage({ ...GOOD_IMAGE, backed_up_at: '2017-05-01T14:00:00.999+02:00' }),
    expected: () => newPending('2017-05-01T12:00:00Z'),
  },
  {
    what: 'with a JSON content type',
    line: 'POST /images',
    request: { ...newImage(GOOD_IMAGE), ...JSON_TYPE },
    expected: () => newPending(),
  },
  {
    what: 'with another content type and no resource type',
    line: 'POST /images',
    request: { ...newImage(GOOD_IMAGE, {}), headers: { 'Content-Type': 'text/plain' } },
    expected: () => newPending(),
  },
  {
    what: 'with members nobody knows',
    line: 'POST /images',
    request: newImage({ ...GOOD_IMAGE, ready: true, colour: 'blue' }, { type: 'images', id: '1' }),
    expected: () => newPending(),
  },
  ...BAD_IMAGES.map(([what, attributes]) => ({
    what: `with ${what}`,
    line: 'POST /images',
    request: newImage(attributes as object),
    expected: () => INVALID_JSON,
  })),
  {
    what: 'naming fields',
    line: 'POST /images?fields[images]=status,ready',
    request: newImage(GOOD_IMAGE),
    expected: () => ({
      status: 201,
      body: { data: { type: 'images', id: AN_ID, attributes: { status: 'pending', ready: false } } },
    }),
  },
  {
    what: 'naming a field there is not, which makes nothing',
    line: 'POST /images?fields[images]=colour',
    request: newImage(GOOD_IMAGE),
    expected: () => UNKNOWN_FIELD,
  },
  { what: 'a ready one', line: 'GET /images/:image', expected: ready },
  { what: 'by the upload user', line: 'GET /images/:image', request: UPLOAD, expected: ready },
  {
    what: 'one that is not ready',
    line: 'GET /images/:pending',
    expected: ({ pending }) => ({ status: 200, body: { data: image(String(pending), { ready: false }) } }),
  },
  {
    what: 'naming the fields beyond the frozen set',
    line: 'GET /images/:pending?fields[images]=status,failure',
    expected: ({ pending }) => ({
      status: 200,
      body: {
        data: { type: 'images', id: String(pending), attributes: { status: 'pending', failure: null } },
      },
    }),
  },
  {
    what: 'naming no fields',
    line: 'GET /images/:image?fields[images]=',
    expected: ({ image: id }) => ({
      status: 200,
      body: { data: { type: 'images', id: String(id), attributes: {} } },
    }),
  },
  {
    what: 'naming fields of another type, and parameters nobody knows',
    line: 'GET /images/:image?fields[instances]=status&page=2&fields=x',
    expected: ready,
  },
  {
    what: 'naming a field of the prototype',
    line: 'GET /images/:image?fields[images]=__proto__',
    expected: () => UNKNOWN_FIELD,
  },
  { what: 'without a body', line: 'POST /images/:image/done', request: UPLOAD, expected: ready },
  {
    what: 'with a JSON content type and an empty body',
    line: 'POST /images/:image/done',
    request: { ...UPLOAD, ...JSON_TYPE },
    expected: ready,
  },
  {
    what: 'with an object',
    line: 'POST /images/:image/done',
    request: { ...UPLOAD, ...JSON_TYPE, body: {} },
    expected: ready,
  },
  {
    what: 'with any body',
    line: 'POST /images/:image/done',
    request: { ...UPLOAD, ...JSON_TYPE, body: '{"data": {' },
    expected: ready,
  },
  {
    what: 'without an upload',
    line: 'POST /images/:spare/done',
    request: UPLOAD,
    expected: () => ({ status: 422, body: ownError('finalise_failed', 422) }),
  },
  { what: 'without a body', line: 'DELETE /images/:spare', request: UPLOAD, expected: () => NO_CONTENT },
  {
    what: 'with a JSON content type and an empty body',
    line: 'DELETE /images/:spare',
    request: { ...UPLOAD, ...JSON_TYPE },
    expected: () => NO_CONTENT,
  },
  {
    what: 'with a body',
    line: 'DELETE /images/:spare',
    request: { ...UPLOAD, ...JSON_TYPE, body: '{' },
    expected: () => NO_CONTENT,
  },
];
