import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { toProviderFailure } from '../../../src/auth/google/provider-failure.ts';

const respond = (status: number, data: unknown) => ({
  response: { status, data },
  config: { data: 'secret' },
});

describe('toProviderFailure', () => {
  it.each<[string, unknown, string, string]>([
    ['the code', respond(400, { error: 'invalid_grant' }), 'invalid_grant', 'invalid_grant'],
    ['the code, with 401', respond(401, { error: 'invalid_grant' }), 'invalid_grant', 'invalid_grant'],
    [
      'the code, but as a server error',
      respond(500, { error: 'invalid_grant' }),
      'unavailable',
      'status 500 invalid_grant',
    ],
    [
      'a longer code',
      respond(400, { error: 'invalid_grant_x' }),
      'unavailable',
      'status 400 invalid_grant_x',
    ],
    ['the code in a text', respond(400, 'invalid_grant'), 'unavailable', 'status 400'],
    ['the code elsewhere', respond(400, { error_description: 'invalid_grant' }), 'unavailable', 'status 400'],
    ['a code that is no code', respond(400, { error: '1//secret token' }), 'unavailable', 'status 400'],
    ['an object', respond(403, { error: { code: 403 } }), 'unavailable', 'status 403'],
    ['no data', respond(404, undefined), 'unavailable', 'status 404'],
    ['a lost connection', { code: 'ECONNRESET' }, 'unavailable', 'ECONNRESET'],
    ['a lost connection below', { cause: { code: 'ENOTFOUND' } }, 'unavailable', 'ENOTFOUND'],
    ['an error of the library', new TypeError('cannot read secret'), 'unavailable', 'no usable answer'],
    ['nothing', undefined, 'unavailable', 'no usable answer'],
  ])('makes of %s', (_, error, kind, reason) => {
    const failure = toProviderFailure(error, false);
    expect([failure.kind, failure.reason]).toEqual([kind, reason]);
    expect(inspect(failure, { depth: null, showHidden: true })).not.toContain('secret');
    expect(failure.cause).toBeUndefined();
  });

  it('makes a timeout of whatever came after the deadline', () => {
    expect(toProviderFailure(respond(400, { error: 'invalid_grant' }), true).kind).toBe('timeout');
  });
});
