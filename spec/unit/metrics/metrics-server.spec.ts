import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openMetricsServer } from '../../../src/metrics/metrics-server.ts';

let port = 0;
let read: () => Promise<string>;
let server: AsyncDisposable;
beforeEach(async () => {
  port = await findFreePort();
  read = () => Promise.resolve('draupnir_ready 1\n');
  server = await openMetricsServer(
    { host: '127.0.0.1', port },
    { contentType: 'text/plain; version=0.0.4', read: () => read() },
  );
});
afterEach(() => server[Symbol.asyncDispose]());

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const found = (probe.address() as AddressInfo).port;
  probe.close();
  await once(probe, 'close');
  return found;
}

const ask = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${port}${path}`, { method });

describe('the server of the metrics', () => {
  it.each(['/metrics', '/metrics?name[]=up'])('gives them at %s', async (path) => {
    const answer = await ask(path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4');
    expect(await answer.text()).toBe('draupnir_ready 1\n');
  });

  it.each([
    ['GET', '/', 404],
    ['GET', '/images', 404],
    ['POST', '/metrics', 405],
  ])('answers %s %s by %i, and says where they are', async (method, path, status) => {
    const answer = await ask(path, method);
    expect(answer.status).toBe(status);
    expect(await answer.text()).toBe('metrics are at GET /metrics\n');
  });

  it('says that they cannot be read, and no more', async () => {
    read = () => Promise.reject(new Error('a secret'));
    const answer = await ask('/metrics');
    expect(answer.status).toBe(500);
    expect(await answer.text()).toBe('the metrics cannot be read\n');
  });

  it('ends its connections when it is closed', async () => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const ended = once(socket, 'close');
    await server[Symbol.asyncDispose]();
    await ended;
    await expect(ask('/metrics')).rejects.toThrow();
    server = { [Symbol.asyncDispose]: () => Promise.resolve() };
  });

  it('cannot be where somebody else is', async () => {
    const metrics = { contentType: 'text/plain', read: () => read() };
    await expect(openMetricsServer({ host: '127.0.0.1', port }, metrics)).rejects.toThrow(
      `EADDRINUSE: address already in use 127.0.0.1:${port}`,
    );
  });
});
