import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished, describe, expect, it } from 'vitest';
import { type AppOptions, type AppUnderTest, createApp } from './app-under-test.ts';

async function listen(options: AppOptions): Promise<AppUnderTest> {
  const api = createApp('exact', options);
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  return api;
}

/** Connects and asks for the health check; the socket, and whether an answer came before the server hung up. */
async function ask(api: AppUnderTest, from = '127.0.0.1'): Promise<{ socket: Socket; served: boolean }> {
  const { port } = api.app.server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', localAddress: from });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  socket.write('GET /health_check HTTP/1.1\r\nHost: x\r\n\r\n');
  const served = await Promise.race([
    once(socket, 'data').then(() => true),
    once(socket, 'close').then(() => false),
  ]);
  return { socket, served };
}

describe('connections', () => {
  it('of one address are limited, and make room when they end', async () => {
    const api = await listen({ limits: { maxConnectionsPerAddress: 2 } });
    const first = await ask(api);
    expect(first.served).toBe(true);
    expect((await ask(api)).served).toBe(true);
    expect((await ask(api)).served).toBe(false);
    expect((await ask(api, '127.0.0.2')).served).toBe(true);
    first.socket.destroy();
    await expect.poll(async () => (await ask(api)).served).toBe(true);
  });

  it('are limited altogether', async () => {
    const api = await listen({ limits: { maxConnections: 2 } });
    expect((await ask(api)).served).toBe(true);
    expect((await ask(api, '127.0.0.2')).served).toBe(true);
    expect((await ask(api, '127.0.0.3')).served).toBe(false);
  });

  it('of a proxy are those of many', async () => {
    const forwarding = { useXForwardedFor: true, trustedProxyCidrs: ['127.0.0.1/32'] };
    const api = await listen({ limits: { maxConnectionsPerAddress: 1 }, forwarding });
    for (let count = 0; count < 3; count++) expect((await ask(api)).served).toBe(true);
    expect((await ask(api, '127.0.0.2')).served).toBe(true);
    expect((await ask(api, '127.0.0.2')).served).toBe(false);
  });
});
