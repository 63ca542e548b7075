import type { DomainError, ErrorKind } from '../core/errors.ts';
import type { ErrorBody } from '../wire.ts';

/** An error as it goes over the wire. */
export interface HttpError {
  status: number;
  /** When to try again, in seconds. */
  retryAfterS?: number;
  body: ErrorBody;
}

interface Shape {
  id: string;
  status: number;
  title: string;
  /** Fixed text of the contract; absent where the reason itself is the detail. */
  detail?: string;
  parameter?: string;
}

/** Contract: HTTP API, "Errors"; kinds without a fixed detail are ours and say what to do. */
const SHAPES: Record<
  ErrorKind | 'internal' | 'method_not_allowed' | 'body_too_large' | 'too_many_requests',
  Shape
> = {
  internal: {
    id: 'internal_server_error',
    status: 500,
    title: 'Internal Server Error',
    detail: 'Something went wrong :(',
  },
  not_found: {
    id: 'resource_not_found',
    status: 404,
    title: 'Resource Not Found',
    detail: 'The resource you requested could not be found',
  },
  unauthorized: {
    id: 'unauthorized',
    status: 401,
    title: 'Unauthorized',
    detail: 'You do not have permission to view this resource',
  },
  image_not_found: {
    id: 'resource_not_found',
    status: 404,
    title: 'Image Not Found',
    detail: 'The image you specified could not be found',
  },
  invalid_image_id: {
    id: 'bad_request',
    status: 400,
    title: 'Bad Request',
    detail: 'The image ID provided is not valid',
    parameter: 'image_id',
  },
  image_not_ready: {
    id: 'unprocessable_entity',
    status: 422,
    title: 'Image Not Ready',
    detail: 'The specified image is not ready to be used',
    parameter: 'image_id',
  },
  image_has_instances: {
    id: 'unprocessable_entity',
    status: 422,
    title: 'Image Has Instances',
    detail: 'Cannot delete an image that has instances',
  },
  malformed_body: {
    id: 'bad_request',
    status: 400,
    title: 'Invalid JSON',
    detail: 'Your JSON is malformed',
  },
  invalid_script: { id: 'bad_request', status: 400, title: 'Invalid Script' },
  unknown_field: { id: 'bad_request', status: 400, title: 'Unknown Field' },
  forbidden: { id: 'forbidden', status: 403, title: 'Forbidden' },
  finalise_failed: { id: 'finalise_failed', status: 422, title: 'Finalise Failed' },
  finalise_interrupted: { id: 'finalise_interrupted', status: 503, title: 'Finalise Interrupted' },
  image_busy: { id: 'image_busy', status: 409, title: 'Image Busy' },
  id_occupied: { id: 'id_occupied', status: 503, title: 'Id Occupied' },
  instance_failed: { id: 'instance_failed', status: 503, title: 'Instance Failed' },
  not_replaceable: { id: 'unprocessable_entity', status: 422, title: 'Credentials Not Replaceable' },
  no_free_port: { id: 'no_free_port', status: 503, title: 'No Free Port' },
  firewall_unavailable: { id: 'firewall_unavailable', status: 503, title: 'Firewall Unavailable' },
  oauth_error: {
    id: 'bad_request',
    status: 400,
    title: 'OAuth Error',
    detail: 'There was some oauth error',
  },
  sign_in_disabled: { id: 'sign_in_disabled', status: 403, title: 'Sign-In Disabled' },
  identity_provider_unavailable: {
    id: 'identity_provider_unavailable',
    status: 503,
    title: 'Identity Provider Unavailable',
  },
  too_many_logins: { id: 'too_many_logins', status: 503, title: 'Too Many Logins' },
  shutting_down: { id: 'shutting_down', status: 503, title: 'Shutting Down' },
  too_busy: { id: 'too_busy', status: 503, title: 'Too Busy' },
  insufficient_disk: { id: 'insufficient_disk', status: 507, title: 'Insufficient Disk' },
  storage_unavailable: { id: 'storage_unavailable', status: 503, title: 'Storage Unavailable' },
  database_unavailable: { id: 'database_unavailable', status: 503, title: 'Database Unavailable' },
  method_not_allowed: { id: 'method_not_allowed', status: 405, title: 'Method Not Allowed' },
  audit_log_unavailable: { id: 'audit_log_unavailable', status: 503, title: 'Audit Log Unavailable' },
  too_many_requests: { id: 'too_many_requests', status: 429, title: 'Too Many Requests' },
  body_too_large: { id: 'body_too_large', status: 413, title: 'Body Too Large' },
};

/** The error object for a kind; `reason` is shown where the contract fixes no text. */
export function buildError(kind: keyof typeof SHAPES, reason = ''): HttpError {
  const { id, status, title, detail = reason, parameter } = SHAPES[kind];
  const source = parameter === undefined ? {} : { parameter };
  return { status, body: { id, status: String(status), code: id, title, detail, source } };
}

export function toHttpError(error: DomainError): HttpError {
  return buildError(error.kind, error.message);
}

/** A stranger has sent too many requests. */
export class TooManyRequests extends Error {
  override readonly name = 'TooManyRequests';
  readonly retryAfterS: number;

  constructor(retryAfterS: number) {
    super('too many requests');
    this.retryAfterS = retryAfterS;
  }
}

export function buildTooManyError({ retryAfterS }: TooManyRequests): HttpError {
  const reason = `too many requests without a valid token from your address; try again in ${retryAfterS} s`;
  return { ...buildError('too_many_requests', reason), retryAfterS };
}

/** 400 of the version check (contract: HTTP API, "Version header"). */
export function buildVersionError(requested: string | undefined, server: string): HttpError {
  const id = requested === undefined ? 'missing_api_version_header' : 'invalid_api_version';
  const title = requested === undefined ? 'Missing API Version Header' : 'Invalid API Version';
  const detail =
    requested === undefined
      ? 'No API version specified in Draupnir-Version header'
      : `Specified API version (${requested}) does not match server version (${server})`;
  return { status: 400, body: { id, status: '400', code: id, title, detail, source: {} } };
}

/** What a client can do about a request that is not readable as HTTP. */
const UNREADABLE: Record<number, string> = {
  408: 'the request did not arrive in time',
  417: 'the only expectation that can be met is 100-continue',
  431: 'the headers are too large: send less than 16 KiB',
};

/** For what never became a request; the statuses are those of RFC 9110 and RFC 6585. */
export function buildUnreadableError(status: number): HttpError {
  const id = 'bad_request';
  const detail = UNREADABLE[status] ?? 'the request is not readable as HTTP';
  return {
    status,
    body: { id, status: String(status), code: id, title: 'Bad Request', detail, source: {} },
  };
}
