import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { TestCertificates } from './test-certificates.ts';

export interface StubProxy {
  /** `localhost:port` */
  host: string;
  /** Request lines, with the credentials that came along. */
  seen: { line: string; authorization: string | undefined }[];
}

/**
 * A real HTTP proxy on loopback: tunnels by CONNECT, forwards absolute URLs. With `denial` it answers that
 * instead.
 */
export async function startProxy(
  options: { denial?: number; certificates?: TestCertificates } = {},
): Promise<StubProxy> {
  const seen: StubProxy['seen'] = [];
  const sockets = new Set<Socket>();
  const note = ({ method = '', url = '', headers }: IncomingMessage): void => {
    seen.push({ line: `${method} ${url}`, authorization: headers['proxy-authorization'] });
  };
  const forward = (request: IncomingMessage, response: ServerResponse): void => {
    note(request);
    if (options.denial !== undefined) {
      response.writeHead(options.denial, { 'Content-Type': 'text/html' }).end('<html>no');
      return;
    }
    const { method, headers } = request;
    const onward = httpRequest(request.url ?? '', { method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  };
  const { certificates } = options;
  const server =
    certificates === undefined
      ? createServer(forward)
      : createHttpsServer({ cert: certificates.certificate, key: certificates.key }, forward);
  server.on('connect', (request: IncomingMessage, client: Socket) => {
    note(request);
    client.on('error', () => undefined);
    if (options.denial !== undefined) {
      client.end(`HTTP/1.1 ${options.denial} No\r\nContent-Length: 2\r\n\r\nno`);
      return;
    }
    const { hostname, port } = new URL(`http://${request.url ?? ''}`);
    const target = connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      target.pipe(client).pipe(target);
    });
    target.on('error', () => client.destroy());
    sockets.add(target);
  });
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { host: `localhost:${(server.address() as AddressInfo).port}`, seen };
}
