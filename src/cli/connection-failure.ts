import { explainValidity, measureClock } from './clock.ts';
import { buildProbe, exchange, ExchangeFailure, type Request, type Route, Silence } from './exchange.ts';
import { CliError, findErrorCode } from './failure.ts';
import { explainProxyFailure } from './proxy-failure.ts';

/** No answer came. */
export class ConnectionError extends CliError {
  /** Whether the request may have reached the server. */
  readonly sent: boolean;

  constructor(sent: boolean, message: string, options: { hint?: string | undefined; cause?: unknown }) {
    super(message, options);
    this.name = 'ConnectionError';
    this.sent = sent;
  }
}

/** Certificate errors that a certificate authority we have not looked at yet could resolve. */
const UNKNOWN_ISSUER = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** OpenSSL met something that is not TLS. */
const NO_TLS = new Set(['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG']);

const TRUST_HINT =
  "add its certificate authority to the system's store, or name its file in NODE_EXTRA_CA_CERTS " +
  '(--skip-verify goes on without checking)';
const DOMAIN_HINT = 'check the server: draupnir config show';
const NETWORK_HINT = 'check the network, and whether a firewall is in between';
const UNKNOWN_OUTCOME_HINT =
  'the work may have been done or still be going on: look with the list command before trying again';

/** Of the network, on the way to the server or to the proxy. */
const NETWORK_REASONS: Record<string, { reason: string; hint: string }> = {
  ECONNREFUSED: { reason: 'connection refused', hint: 'is the server running, and is its port right?' },
  ENOTFOUND: { reason: 'there is no host of that name', hint: DOMAIN_HINT },
  EAI_AGAIN: { reason: 'its name could not be looked up', hint: 'check the network' },
  ETIMEDOUT: { reason: 'it does not answer', hint: NETWORK_HINT },
  EHOSTUNREACH: { reason: 'there is no route to it', hint: 'check the network' },
  ENETUNREACH: { reason: 'there is no route to it', hint: 'check the network' },
};

/** Whether the connection failed only because nobody we trust signed the server's certificate. */
export function isUnknownIssuer(error: unknown): boolean {
  return error instanceof ExchangeFailure && UNKNOWN_ISSUER.has(findErrorCode(error.cause) ?? '');
}

/** Explains in a line why no answer came. May connect to the server again, without the token, to find out. */
export async function describeConnectionFailure(
  { sent, cause }: ExchangeFailure,
  request: Request,
  route: Route,
): Promise<ConnectionError> {
  const server = request.url.origin;
  const explained = sent
    ? await findOtherThanHttp(cause, request, route)
    : await explainConnecting(cause, request, route);
  if (explained) {
    const { reason, hint } = explained;
    return new ConnectionError(false, `cannot connect to ${server}: ${reason}`, { hint, cause });
  }
  const hint = request.method === 'GET' ? 'check the server, then try again' : UNKNOWN_OUTCOME_HINT;
  if (cause instanceof Silence) {
    const message = `${server} has not answered for ${cause.ms / 1000} s`;
    return new ConnectionError(true, message, { hint, cause });
  }
  return new ConnectionError(true, `${server} ended the connection without a complete answer`, {
    hint,
    cause,
  });
}

interface Explanation {
  reason: string;
  hint?: string | undefined;
}

/** Why there was no connection; nothing was sent. */
async function explainConnecting(cause: unknown, request: Request, route: Route): Promise<Explanation> {
  const { proxy, limits } = route;
  const code = findErrorCode(cause) ?? '';
  const refusal = proxy && explainProxyFailure(cause, proxy, request.url);
  if (refusal) return refusal;
  if (UNKNOWN_ISSUER.has(code)) return { reason: 'its certificate is not trusted', hint: TRUST_HINT };
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return { reason: 'its certificate is for another name', hint: DOMAIN_HINT };
  }
  if (code === 'CERT_HAS_EXPIRED') return await explainCertificate('expired', request, route);
  if (code === 'CERT_NOT_YET_VALID') return await explainCertificate('not yet valid', request, route);
  const network =
    cause instanceof Silence
      ? { reason: `it does not answer within ${limits.connectMs / 1000} s`, hint: NETWORK_HINT }
      : NETWORK_REASONS[code];
  if (network && proxy) {
    const reason = `the proxy ${proxy.name}: ${network.reason}`;
    return {
      reason,
      hint: `check ${proxy.variable}, or exempt the server: NO_PROXY=${request.url.hostname}`,
    };
  }
  return (
    network ??
    (await findOtherThanTls(cause, request, route)) ?? {
      reason: isReset(code) ? 'it ended the connection during the TLS handshake' : code || 'unknown error',
      hint: isReset(code) ? DOMAIN_HINT : undefined,
    }
  );
}

/** The server's time is asked for without verification, and used for this message only. */
async function explainCertificate(
  kind: 'expired' | 'not yet valid',
  { url }: Request,
  route: Route,
): Promise<Explanation> {
  const now = new Date();
  try {
    const { headers, receivedAt, certificate } = await exchange(buildProbe(url, false), route);
    return explainValidity(kind, measureClock(headers, receivedAt), certificate, now);
  } catch {
    return explainValidity(kind, undefined, undefined, now);
  }
}

/** Whether the port speaks something else than TLS. Not looked into where a proxy is in between. */
async function findOtherThanTls(
  cause: unknown,
  { url, verifyCertificate }: Request,
  route: Route,
): Promise<Explanation | undefined> {
  const code = findErrorCode(cause) ?? '';
  if (url.protocol !== 'https:' || (!NO_TLS.has(code) && !isReset(code))) return undefined;
  const { findPlainProtocol } = await import('./port-probe.ts');
  const protocol = route.proxy
    ? undefined
    : await findPlainProtocol(buildProbe(url, verifyCertificate), route);
  if (protocol === 'other') return { reason: 'it speaks neither TLS nor HTTP there', hint: DOMAIN_HINT };
  if (!NO_TLS.has(code) && protocol !== 'http') return undefined;
  return { reason: 'it does not speak TLS there', hint: '--insecure talks plain HTTP' };
}

/** Whether the port speaks TLS instead of HTTP, or neither. */
async function findOtherThanHttp(
  cause: unknown,
  { url }: Request,
  { proxy }: Route,
): Promise<Explanation | undefined> {
  const { isNoHttp, speaksTls } = await import('./port-probe.ts');
  if (!isNoHttp(cause) && !isReset(findErrorCode(cause) ?? '')) return undefined;
  if (url.protocol === 'http:' && !proxy && (await speaksTls(url))) {
    return { reason: 'it speaks TLS there', hint: 'leave out --insecure' };
  }
  return isNoHttp(cause) ? { reason: 'it does not speak HTTP there', hint: DOMAIN_HINT } : undefined;
}

/** The other side went away (Node calls it ECONNRESET). */
function isReset(code: string): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE';
}
