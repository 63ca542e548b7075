import { VERSION_HEADER } from '../version.ts';
import { ConnectionError, describeConnectionFailure, isUnknownIssuer } from './connection-failure.ts';
import { type Answer, exchange, ExchangeFailure, type Request, type Route } from './exchange.ts';
import { findProxy, type Proxy } from './proxy.ts';
import { readRedirect } from './redirect.ts';
import type { TimeLimits } from './time-limits.ts';

/** An answer, and how it came. */
export interface Reply extends Answer {
  /** Base URL of the server that gave it, after redirects. */
  server: string;
  proxy: Proxy | undefined;
  /** A redirect that was not followed, and why. */
  redirect: { to: URL; refusal: string } | undefined;
}

/** Few servers need one; more are a circle. */
const MAX_REDIRECTS = 5;

/** What requests depend on beside themselves. */
export interface Transport {
  limits: TimeLimits;
  /** Names the proxy, if there is one. */
  env: NodeJS.ProcessEnv;
}

/**
 * Sends a request and waits for the answer, within the limits. Follows redirects. Throws `CliError` when no
 * answer comes.
 */
export async function sendRequest(first: Request, { limits, env }: Transport): Promise<Reply> {
  let request = first;
  for (let count = 0; ; count++) {
    const proxy = findProxy(request.url, env);
    const answer = await sendOnce(request, { proxy, limits, ca: undefined });
    if (proxy && answer.status === 407) throw await describeDenial(answer.status, proxy, request);
    if (answer.status === 400 && !proxy) await requireRightProtocol(request, answer);
    const reply = { ...answer, server: request.url.origin, proxy };
    if (answer.status < 300 || answer.status >= 400) return { ...reply, redirect: undefined };
    const redirect = readRedirect(request, answer);
    if (redirect === undefined) return { ...reply, redirect };
    if ('refusal' in redirect) return { ...reply, redirect };
    if (count === MAX_REDIRECTS) {
      const refusal = `it redirects more than ${MAX_REDIRECTS} times`;
      return { ...reply, redirect: { to: redirect.to, refusal } };
    }
    request = redirect.next;
  }
}

async function sendOnce(request: Request, route: Route): Promise<Answer> {
  try {
    return await exchange(request, route);
  } catch (error) {
    // Using the system's store takes about 80 ms, so it is read only for a server that the certificates Node
    // brings
    // along (and NODE_EXTRA_CA_CERTS) do not vouch for. The handshake failed: nothing was sent yet.
    if (!isUnknownIssuer(error)) throw await describe(error, request, route);
  }
  const { getCACertificates } = await import('node:tls');
  const trusting = { ...route, ca: getCACertificates('system') };
  try {
    return await exchange(request, trusting);
  } catch (error) {
    throw await describe(error, request, trusting);
  }
}

async function describe(error: unknown, request: Request, route: Route): Promise<unknown> {
  return error instanceof ExchangeFailure ? await describeConnectionFailure(error, request, route) : error;
}

/** Some servers answer plain HTTP at their TLS port, with 400 and a page. Nothing was done then. */
async function requireRightProtocol({ url }: Request, { headers }: Answer): Promise<void> {
  if (url.protocol !== 'http:' || headers[VERSION_HEADER.toLowerCase()] !== undefined) return;
  const { speaksTls } = await import('./port-probe.ts');
  if (!(await speaksTls(url))) return;
  const hint = 'leave out --insecure';
  throw new ConnectionError(false, `cannot connect to ${url.origin}: it speaks TLS there`, { hint });
}

/** A proxy asks for a password in the place of the server, over plain HTTP. */
async function describeDenial(status: number, proxy: Proxy, { url }: Request): Promise<ConnectionError> {
  const { explainRefusal } = await import('./proxy-failure.ts');
  const { reason, hint } = explainRefusal(status, proxy, url);
  return new ConnectionError(false, `cannot connect to ${url.origin}: ${reason}`, { hint });
}
