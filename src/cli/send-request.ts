import type { IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import { describeConnectionFailure, isUnknownIssuer } from './connection-failure.ts';

/** What a server answered, whole. */
export interface Answer {
  status: number;
  contentType: string;
  /** Where a redirect points to; redirects are not followed. */
  location: string | undefined;
  body: string;
}

export interface Request {
  method: 'GET' | 'POST' | 'DELETE';
  url: URL;
  headers: Record<string, string>;
  body?: string | undefined;
  /** False accepts any certificate. */
  verifyCertificate: boolean;
}

// Probes an idle connection now and then: a finalisation is silent for many minutes, and routers forget connections
// sooner than that.
const KEEP_ALIVE_PROBE_MS = 30_000;

/**
 * Sends a request and waits for the answer as long as it takes: there is no time-out (fetch would give up after 300 s).
 * Throws `CliError` when no complete answer comes.
 */
export async function sendRequest(request: Request): Promise<Answer> {
  try {
    return await sendOnce(request, undefined);
  } catch (error) {
    // Using the system's store takes about 80 ms, so it is read only for a server that the certificates Node brings
    // along (and NODE_EXTRA_CA_CERTS) do not vouch for. The handshake failed: nothing was sent yet.
    if (!isUnknownIssuer(error)) throw describeConnectionFailure(error, request.url.origin);
  }
  const { getCACertificates } = await import('node:tls');
  try {
    return await sendOnce(request, getCACertificates('system'));
  } catch (error) {
    throw describeConnectionFailure(error, request.url.origin);
  }
}

async function sendOnce(request: Request, ca: string[] | undefined): Promise<Answer> {
  const isTls = request.url.protocol === 'https:';
  const { request: send } = isTls ? await import('node:https') : await import('node:http');
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const options: RequestOptions = {
    method: request.method,
    headers: request.headers,
    // No agent: one request a connection, closed after it.
    agent: false,
    rejectUnauthorized: request.verifyCertificate,
    ...(ca === undefined ? {} : { ca }),
  };
  const sent = send(request.url, options, (response) => {
    collect(response).then(resolve, reject);
  });
  sent.on('socket', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS));
  sent.on('error', reject);
  sent.end(request.body);
  return await promise;
}

async function collect(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode ?? 0,
    contentType: response.headers['content-type'] ?? '',
    location: response.headers.location,
    body: Buffer.concat(chunks).toString('utf8'),
  };
}
