import { describe, expect, it } from 'vitest';
import { DomainError, type ErrorKind } from '../../../src/core/errors.ts';
import { buildError, buildVersionError, toHttpError } from '../../../src/http/error-body.ts';
import { errorObject, INTERNAL, INVALID_JSON, NOT_FOUND, UNAUTHORIZED } from './app-under-test.ts';

const REASON = 'the reason; ask again';
const IMAGE_ID = { parameter: 'image_id' };

/** Contract: HTTP API, "Errors". Kinds that are not in it carry their reason. */
const EXPECTED: Record<ErrorKind, object> = {
  not_found: NOT_FOUND,
  unauthorized: UNAUTHORIZED,
  malformed_body: INVALID_JSON,
  invalid_script: errorObject('bad_request', 400, 'Invalid Script', REASON),
  image_not_found: errorObject(
    'resource_not_found',
    404,
    'Image Not Found',
    'The image you specified could not be found',
  ),
  invalid_image_id: errorObject(
    'bad_request',
    400,
    'Bad Request',
    'The image ID provided is not valid',
    IMAGE_ID,
  ),
  image_not_ready: errorObject(
    'unprocessable_entity',
    422,
    'Image Not Ready',
    'The specified image is not ready to be used',
    IMAGE_ID,
  ),
  image_has_instances: errorObject(
    'unprocessable_entity',
    422,
    'Image Has Instances',
    'Cannot delete an image that has instances',
  ),
  forbidden: errorObject('forbidden', 403, 'Forbidden', REASON),
  finalise_failed: errorObject('finalise_failed', 422, 'Finalise Failed', REASON),
  finalise_interrupted: errorObject('finalise_interrupted', 503, 'Finalise Interrupted', REASON),
  image_busy: errorObject('image_busy', 409, 'Image Busy', REASON),
  id_occupied: errorObject('id_occupied', 503, 'Id Occupied', REASON),
  not_replaceable: errorObject('unprocessable_entity', 422, 'Credentials Not Replaceable', REASON),
  no_free_port: errorObject('no_free_port', 503, 'No Free Port', REASON),
  firewall_unavailable: errorObject('firewall_unavailable', 503, 'Firewall Unavailable', REASON),
  unknown_field: errorObject('bad_request', 400, 'Unknown Field', REASON),
  identity_provider_unavailable: errorObject(
    'identity_provider_unavailable',
    503,
    'Identity Provider Unavailable',
    REASON,
  ),
  oauth_error: errorObject('bad_request', 400, 'OAuth Error', 'There was some oauth error'),
  sign_in_disabled: errorObject('sign_in_disabled', 403, 'Sign-In Disabled', REASON),
  audit_log_unavailable: errorObject('audit_log_unavailable', 503, 'Audit Log Unavailable', REASON),
  too_many_logins: errorObject('too_many_logins', 503, 'Too Many Logins', REASON),
  instance_failed: errorObject('instance_failed', 503, 'Instance Failed', REASON),
  too_busy: errorObject('too_busy', 503, 'Too Busy', REASON),
  insufficient_disk: errorObject('insufficient_disk', 507, 'Insufficient Disk', REASON),
  storage_unavailable: errorObject('storage_unavailable', 503, 'Storage Unavailable', REASON),
  database_unavailable: errorObject('database_unavailable', 503, 'Database Unavailable', REASON),
  shutting_down: errorObject('shutting_down', 503, 'Shutting Down', REASON),
};

describe('an error on the wire', () => {
  it.each(Object.entries(EXPECTED))('of kind %s has the shape of the contract', (kind, expected) => {
    const { status, body } = toHttpError(new DomainError(kind as ErrorKind, REASON));
    expect(body).toEqual(expected);
    // Key order as the original sends it.
    expect(Object.keys(body)).toEqual(['id', 'status', 'code', 'title', 'detail', 'source']);
    expect(String(status)).toBe(body.status);
  });

  it('says nothing of its cause when nobody foresaw it', () => {
    expect(buildError('internal', 'the password is hunter2').body).toEqual(INTERNAL);
  });

  it('tells a missing version from one that is not served', () => {
    expect(buildVersionError(undefined, '5.4.0')).toEqual({
      status: 400,
      body: errorObject(
        'missing_api_version_header',
        400,
        'Missing API Version Header',
        'No API version specified in Draupnir-Version header',
      ),
    });
    expect(buildVersionError('1.0.0', '5.4.0')).toEqual({
      status: 400,
      body: errorObject(
        'invalid_api_version',
        400,
        'Invalid API Version',
        'Specified API version (1.0.0) does not match server version (5.4.0)',
      ),
    });
  });
});
