import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import type { TestCertificates } from './test-certificates.ts';

/** A request as the stub saw it. */
export interface SeenRequest {
  line: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** What the stub answers: JSON, unless `type` says otherwise. */
export interface StubAnswer {
  status: number;
  body?: unknown;
  type?: string;
  headers?: Record<string, string>;
}

export interface StubServer {
  /** `localhost:port` */
  domain: string;
  seen: SeenRequest[];
}

/**
 * A real server on loopback that answers by request line (`GET /images`) and lives as long as the test. A function
 * takes over the response itself.
 */
export async function startStubServer(
  answers: Record<string, StubAnswer | ((response: ServerResponse) => void)>,
  certificates?: TestCertificates,
): Promise<StubServer> {
  const seen: SeenRequest[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const line = `${request.method ?? ''} ${request.url ?? ''}`;
    seen.push({ line, headers: request.headers, body: await text(request) });
    const answer = answers[line] ?? {
      status: 404,
      body: apiError('resource_not_found', 'Resource Not Found', 'no such stub'),
    };
    if (typeof answer === 'function') {
      answer(response);
      return;
    }
    response.writeHead(answer.status, {
      'Content-Type': answer.type ?? 'application/json',
      ...answer.headers,
    });
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void =>
    void handle(request, response);
  const server =
    certificates === undefined
      ? createHttpServer(listener)
      : createHttpsServer({ cert: certificates.certificate, key: certificates.key }, listener);
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { domain: `localhost:${(server.address() as AddressInfo).port}`, seen };
}

/** An error body as the API contract has it. */
export function apiError(id: string, title: string, detail: string): object {
  return { id, status: '400', code: id, title, detail, source: {} };
}
