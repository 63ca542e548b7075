import { CliError, findErrorCode } from './failure.ts';

/** Certificate errors that a certificate authority we have not looked at yet could resolve. */
const UNKNOWN_ISSUER = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

const TRUST_HINT =
  "add its certificate authority to the system's store, or name its file in NODE_EXTRA_CA_CERTS " +
  '(--skip-verify goes on without checking)';
const DOMAIN_HINT = 'check the server: draupnir config show';

const REASONS: Record<string, { reason: string; hint: string }> = {
  ECONNREFUSED: { reason: 'connection refused', hint: 'is the server running, and is its port right?' },
  ENOTFOUND: { reason: 'there is no host of that name', hint: DOMAIN_HINT },
  EAI_AGAIN: { reason: 'its name could not be looked up', hint: 'check the network' },
  ETIMEDOUT: {
    reason: 'it does not answer',
    hint: 'check the network, and whether a firewall is in between',
  },
  EHOSTUNREACH: { reason: 'there is no route to it', hint: 'check the network' },
  ENETUNREACH: { reason: 'there is no route to it', hint: 'check the network' },
  // OpenSSL met something that is not TLS.
  EPROTO: { reason: 'it does not speak TLS there', hint: '--insecure talks plain HTTP' },
  ERR_SSL_WRONG_VERSION_NUMBER: {
    reason: 'it does not speak TLS there',
    hint: '--insecure talks plain HTTP',
  },
  ERR_SSL_PACKET_LENGTH_TOO_LONG: {
    reason: 'it does not speak TLS there',
    hint: '--insecure talks plain HTTP',
  },
  CERT_HAS_EXPIRED: {
    reason: 'its certificate has expired',
    hint: 'renew it, and check the clock of this machine',
  },
  CERT_NOT_YET_VALID: {
    reason: 'its certificate is not valid yet',
    hint: 'check the clock of this machine',
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    reason: 'its certificate is for another name',
    hint: DOMAIN_HINT,
  },
};

/** Whether the connection failed only because nobody we trust signed the server's certificate. */
export function isUnknownIssuer(error: unknown): boolean {
  return UNKNOWN_ISSUER.has(findErrorCode(error) ?? '');
}

/** Says in a line why no answer came from `server`, a base URL. */
export function describeConnectionFailure(error: unknown, server: string): CliError {
  const code = findErrorCode(error) ?? '';
  if (isUnknownIssuer(error)) {
    return new CliError(`cannot connect to ${server}: its certificate is not trusted`, {
      hint: TRUST_HINT,
      cause: error,
    });
  }
  // The server went away after taking the request (Node calls it ECONNRESET), or answered with what is not HTTP.
  if (code === 'ECONNRESET' || code === 'EPIPE' || code.startsWith('HPE_')) {
    return new CliError(`${server} ended the connection without a complete answer`, {
      hint: 'the work may have been done or still be going on: look with the list command before trying again',
      cause: error,
    });
  }
  const known = REASONS[code];
  return new CliError(`cannot connect to ${server}: ${known?.reason ?? (code || 'unknown error')}`, {
    hint: known?.hint,
    cause: error,
  });
}
