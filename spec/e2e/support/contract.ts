import { expect } from 'vitest';
import { type Answer, VERSION } from './api.ts';

/** The error bodies of the contract (HTTP API, "Errors"), by what is wrong. */
export const ERRORS = {
  internal: {
    id: 'internal_server_error',
    status: '500',
    code: 'internal_server_error',
    title: 'Internal Server Error',
    detail: 'Something went wrong :(',
    source: {},
  },
  missingVersion: {
    id: 'missing_api_version_header',
    status: '400',
    code: 'missing_api_version_header',
    title: 'Missing API Version Header',
    detail: 'No API version specified in Draupnir-Version header',
    source: {},
  },
  notFound: {
    id: 'resource_not_found',
    status: '404',
    code: 'resource_not_found',
    title: 'Resource Not Found',
    detail: 'The resource you requested could not be found',
    source: {},
  },
  unauthorized: {
    id: 'unauthorized',
    status: '401',
    code: 'unauthorized',
    title: 'Unauthorized',
    detail: 'You do not have permission to view this resource',
    source: {},
  },
  imageNotFound: {
    id: 'resource_not_found',
    status: '404',
    code: 'resource_not_found',
    title: 'Image Not Found',
    detail: 'The image you specified could not be found',
    source: {},
  },
  invalidImageId: {
    id: 'bad_request',
    status: '400',
    code: 'bad_request',
    title: 'Bad Request',
    detail: 'The image ID provided is not valid',
    source: { parameter: 'image_id' },
  },
  imageNotReady: {
    id: 'unprocessable_entity',
    status: '422',
    code: 'unprocessable_entity',
    title: 'Image Not Ready',
    detail: 'The specified image is not ready to be used',
    source: { parameter: 'image_id' },
  },
  invalidJson: {
    id: 'bad_request',
    status: '400',
    code: 'bad_request',
    title: 'Invalid JSON',
    detail: 'Your JSON is malformed',
    source: {},
  },
  oauth: {
    id: 'bad_request',
    status: '400',
    code: 'bad_request',
    title: 'OAuth Error',
    detail: 'There was some oauth error',
    source: {},
  },
} as const;

/** The error body for a version that is not served. */
export function versionError(requested: string): object {
  return {
    id: 'invalid_api_version',
    status: '400',
    code: 'invalid_api_version',
    title: 'Invalid API Version',
    detail: `Specified API version (${requested}) does not match server version (${VERSION})`,
    source: {},
  };
}

/** An error of our own, beyond those of the original: its title and detail are ours to word, but not to leave out. */
export function ownError(id: string, status: number): object {
  const aText: unknown = expect.stringMatching(/\S/);
  return { id, status: String(status), code: id, title: aText, detail: aText, source: {} };
}

/** What a request has to come to. */
export interface Expected {
  status: number;
  /** The whole body, or `''` for none. */
  body: unknown;
  /** Beyond those that every answer has. */
  headers?: Record<string, unknown>;
}

/** Compares an answer of the JSON API, with the headers that all of them carry (contract: HTTP API, "Envelope"). */
export function expectAnswer(answer: Answer, { status, body, headers = {} }: Expected): void {
  expect({ status: answer.status, body: answer.json ?? answer.text, headers: answer.headers }).toEqual({
    status,
    body,
    headers: expect.objectContaining({
      'content-type': 'application/json',
      'draupnir-version': VERSION,
      ...headers,
    }) as unknown,
  });
}

/** UTC, whole seconds. */
export const A_TIME: unknown = expect.stringMatching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/);
export const AN_ID: unknown = expect.stringMatching(/^[1-9][0-9]*$/);
export const A_NUMBER: unknown = expect.any(Number);
export const A_PEM: unknown = expect.stringMatching(
  /^-----BEGIN [A-Z ]+-----\n[\s\S]+-----END [A-Z ]+-----\n$/,
);

/** Ids that nothing can have; the last is beyond what the database can hold. */
export const IMPOSSIBLE_IDS = ['0', '01', '-1', '7;rm', '%207', '0x10', '1e3', '1.0', '9999999999'];
