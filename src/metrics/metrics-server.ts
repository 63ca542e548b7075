import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';

/** Whoever reads reads every few seconds; nobody else has any business here. */
const MAX_CONNECTIONS = 50;
/** For a request to arrive, in milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;

/** What is read there. */
export interface MetricsText {
  contentType: string;
  read(): Promise<string>;
}

/**
 * Serves `GET /metrics` over plain HTTP, and nothing else, to whoever reaches the address. Rejects when it cannot listen there. Closing it
 * ends its connections.
 */
export async function openMetricsServer(
  address: { host: string; port: number },
  metrics: MetricsText,
): Promise<AsyncDisposable> {
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      const [path] = (request.url ?? '').split('?', 1);
      if (path !== '/metrics' || (request.method !== 'GET' && request.method !== 'HEAD')) {
        response
          .writeHead(path === '/metrics' ? 405 : 404, { 'content-type': 'text/plain' })
          .end('metrics are at GET /metrics\n');
        return;
      }
      metrics.read().then(
        (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
        () => response.writeHead(500, { 'content-type': 'text/plain' }).end('the metrics cannot be read\n'),
      );
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  // An empty host means every address of both families, as it does to Node.
  server.listen({ ...(address.host !== '' && { host: address.host }), port: address.port });
  await once(server, 'listening');
  return { [Symbol.asyncDispose]: () => close(server) };
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
