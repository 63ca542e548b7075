import { expect } from 'vitest';
import type { ApiRequest, Instance } from '../support/api.ts';
import { ERRORS, type Expected } from '../support/contract.ts';

/** What the paths of the rows name, and what the answers hold of it. */
export interface Made {
  /** Ready, of the whole run. */
  image: number;
  /** Never uploaded. */
  pending: number;
  /** The developer's. */
  instance: Instance;
  /** The upload user's. */
  foreign: Instance;
}

/** One input to one route, and what has to come of it. */
export interface Row {
  /** What is special about it. */
  what: string;
  /** Method and path; `:name` is the id of something made. `:spare` is an image made for this row. */
  line: string;
  request?: ApiRequest | ((made: Made) => ApiRequest);
  expected: (made: Made) => Expected;
}

/** A content type of JSON, as clients send it with DELETE too. */
export const JSON_TYPE = { headers: { 'Content-Type': 'application/json' } };
export const UPLOAD = { as: 'upload' } as const;
export const INVALID_JSON: Expected = { status: 400, body: ERRORS.invalidJson };
export const NOT_FOUND: Expected = { status: 404, body: ERRORS.notFound };
export const NO_CONTENT: Expected = { status: 204, body: '' };
/** Detail: the fields there are. */
export const UNKNOWN_FIELD: Expected = {
  status: 400,
  body: {
    id: 'bad_request',
    status: '400',
    code: 'bad_request',
    title: 'Unknown Field',
    detail: expect.stringMatching(/^fields\[(images|instances)\] may name /) as unknown,
    source: {},
  },
};
