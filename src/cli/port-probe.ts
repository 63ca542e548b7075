import { once } from 'node:events';
import { findErrorCode } from './failure.ts';
import { exchange, ExchangeFailure, type Request, type Route } from './exchange.ts';

/** A probe explains a failure that has already happened: it must not make the user wait. In milliseconds. */
const PROBE_TIMEOUT_MS = 3000;

/** Whether a TLS handshake succeeds at a server's port. Sends nothing else. */
export async function speaksTls({ hostname, port }: URL): Promise<boolean> {
  const { connect } = await import('node:tls');
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = connect({ host, port: Number(port || 80), rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/**
 * What a port speaks that does not speak TLS: `other` is certain not to be HTTP. `probe` goes there by HTTP
 * and holds no token.
 */
export async function findPlainProtocol(probe: Request, route: Route): Promise<'http' | 'other' | undefined> {
  const url = new URL(probe.url);
  // The setter ignores a change of the protocol's default port only.
  const port = url.port || '443';
  url.protocol = 'http:';
  url.port = port;
  const limits = { ...route.limits, connectMs: PROBE_TIMEOUT_MS, silenceMs: PROBE_TIMEOUT_MS };
  try {
    await exchange({ ...probe, url }, { ...route, limits });
    return 'http';
  } catch (error) {
    return error instanceof ExchangeFailure && isNoHttp(error.cause) ? 'other' : undefined;
  }
}

/** Node's HTTP parser met no status line. Its other errors are those of a broken answer. */
export function isNoHttp(error: unknown): boolean {
  return ['HPE_INVALID_CONSTANT', 'HPE_INVALID_VERSION'].includes(findErrorCode(error) ?? '');
}
