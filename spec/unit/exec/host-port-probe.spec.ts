import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { HostPortProbe } from '../../../src/exec/host-port-probe.ts';
import { HAS_IPV6, LOOPBACKS } from '../../support/ipv6.ts';

const probe = new HostPortProbe();
const servers: Server[] = [];

async function listen(host: string): Promise<number> {
  const server = createServer();
  servers.push(server);
  server.listen({ host, port: 0, ipv6Only: host.includes(':') });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function close(): Promise<void> {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
}

afterEach(close);

describe('HostPortProbe', () => {
  it.each(['0.0.0.0', ...(HAS_IPV6 ? ['::'] : []), ...LOOPBACKS])(
    'calls a port taken when somebody listens on %s',
    async (host) => {
      expect(await probe.isFree(await listen(host))).toBe(false);
    },
  );

  it.each(LOOPBACKS)('calls a port taken that a connection from %s goes out by', async (host) => {
    const listener = await listen(host);
    const socket = connect({ host, port: listener });
    await once(socket, 'connect');
    const { localPort = 0 } = socket;
    expect(await probe.isFree(localPort)).toBe(false);
    socket.destroy();
    await once(socket, 'close');
  });

  it('calls a port free when nobody listens, as often as it is asked', async () => {
    const port = await listen('127.0.0.1');
    await close();
    expect(await probe.isFree(port)).toBe(true);
    expect(await probe.isFree(port)).toBe(true);
  });

  it('leaves a free port free', async () => {
    const port = await listen('127.0.0.1');
    await close();
    await probe.isFree(port);
    const server = createServer();
    servers.push(server);
    server.listen(port, HAS_IPV6 ? '::' : '0.0.0.0');
    await expect(once(server, 'listening')).resolves.toBeDefined();
  });
});
