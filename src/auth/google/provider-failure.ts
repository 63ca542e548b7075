import { ProviderFailure } from '../../core/identity-provider.ts';

/** Codes of RFC 6749, section 5.2, and of Node: `invalid_client`, `ECONNREFUSED`. Anything else is not for a log. */
const CODE = /^[A-Za-z_]{1,40}$/;

/**
 * Makes our own error of whatever Google's library threw. Theirs hold the request, with tokens, codes and the client's
 * secret: it must neither be kept as cause nor logged.
 */
export function toProviderFailure(error: unknown, timedOut: boolean): ProviderFailure {
  if (timedOut) return new ProviderFailure('timeout', 'no answer in time');
  const response = get(error, 'response');
  const status = get(response, 'status');
  if (typeof status !== 'number') {
    const code = getCode(get(error, 'code')) ?? getCode(get(get(error, 'cause'), 'code'));
    return new ProviderFailure('unavailable', code ?? 'no usable answer');
  }
  const code = getCode(get(get(response, 'data'), 'error'));
  // RFC 6749 says 400; anything in the 4xx with this very code means it.
  if (code === 'invalid_grant' && status >= 400 && status < 500) {
    return new ProviderFailure('invalid_grant', code);
  }
  return new ProviderFailure('unavailable', `status ${status}${code === undefined ? '' : ` ${code}`}`);
}

function getCode(value: unknown): string | undefined {
  return typeof value === 'string' && CODE.test(value) ? value : undefined;
}

function get(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (Reflect.get(value, key) as unknown) : undefined;
}
