import { expect } from 'vitest';

/** The error bodies of the contract (HTTP API, "Errors"), by what is wrong. */
export const ERRORS = {
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
} as const;

/** UTC, whole seconds. */
export const A_TIME: unknown = expect.stringMatching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/);
export const AN_ID: unknown = expect.stringMatching(/^[1-9][0-9]*$/);
export const A_NUMBER: unknown = expect.any(Number);
export const A_PEM: unknown = expect.stringMatching(
  /^-----BEGIN [A-Z ]+-----\n[\s\S]+-----END [A-Z ]+-----\n$/,
);

/** Ids that nothing can have; the last is beyond what the database can hold. */
export const IMPOSSIBLE_IDS = ['0', '01', '-1', '7;rm', '%207', '0x10', '1e3', '1.0', '9999999999'];
