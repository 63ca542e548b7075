import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import type { ServerOptions as HttpsOptions } from 'node:https';
import type { Socket } from 'node:net';
import { VERSION, VERSION_HEADER } from '../version.ts';
import { JSON_TYPE } from '../wire.ts';
import { limitConnections } from './connection-limit.ts';
import { buildUnreadableError } from './error-body.ts';
import type { HttpLimits } from './limits.ts';
import { OpenConnections } from './open-connections.ts';
import { answerUnreadable } from './unreadable-request.ts';

/** How often Node looks for requests that are late, in milliseconds: its own 30 s would be added to every time-out. */
const CHECK_INTERVAL_MS = 1000;
/** For the TLS handshake, in milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Options for Node's own server below Fastify. */
export function buildServerOptions(limits: HttpLimits, tls?: HttpsOptions): ServerOptions | HttpsOptions {
  return {
    headersTimeout: limits.headerTimeoutMs,
    connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, limits.headerTimeoutMs),
    // Node would answer in a form that is not ours; `requireHost` does so instead.
    requireHostHeader: false,
    ...(tls && { handshakeTimeout: HANDSHAKE_TIMEOUT_MS, ...tls }),
  };
}

/**
 * Sets what cannot be given as an option, and answers in our form what Node would answer in its own. Returns the server's
 * connections, to be closed before it stops.
 */
export function guardServer(
  server: Server,
  limits: HttpLimits,
  isProxy: (address: string) => boolean,
): OpenConnections {
  const connections = new OpenConnections(server);
  limitConnections(server, limits, isProxy);
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const { status, body } = buildUnreadableError(417);
    const text = JSON.stringify(body);
    response.writeHead(status, {
      'content-type': JSON_TYPE,
      'content-length': Buffer.byteLength(text),
      [VERSION_HEADER]: VERSION,
      connection: 'close',
    });
    response.end(text);
  });
  // Nobody's proxy: there is nothing to connect to.
  server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    answerUnreadable(new Error('CONNECT'), socket);
  });
  return connections;
}
