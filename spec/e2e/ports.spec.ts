import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { HAS_IPV6, LOOPBACKS } from '../support/ipv6.ts';
import { readHostState } from './support/host-state.ts';
import { INSTANCE_PORTS } from './support/installation.ts';
import { query } from './support/instance-client.ts';
import { useServer } from './support/use-server.ts';

/** Two ports more than there are strangers who listen. */
const { min } = INSTANCE_PORTS;
const server = useServer({ ports: { min, max: min + 5 } });

const servers: Server[] = [];
const sockets: Socket[] = [];

async function listen(host: string, port: number): Promise<void> {
  const stranger = createServer();
  servers.push(stranger);
  stranger.listen({ host, port, ipv6Only: host.includes(':') });
  await once(stranger, 'listening');
}

/** A connection to elsewhere whose own port is this. Node lets others listen there (SO_REUSEADDR), and that works. */
async function goOut(localPort: number): Promise<void> {
  const target = createServer((socket) => sockets.push(socket));
  servers.push(target);
  target.listen(0, '127.0.0.1');
  await once(target, 'listening');
  const address = target.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  const socket = connect({ host: '127.0.0.1', port: address.port, localAddress: '127.0.0.1', localPort });
  sockets.push(socket);
  await once(socket, 'connect');
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const each of servers.splice(0)) await new Promise((resolve) => each.close(resolve));
});

describe('ports that strangers have', () => {
  it('are given to nobody, and when no other is left the answer says so and nothing is made', async () => {
    await listen('0.0.0.0', min);
    await listen('127.0.0.1', min + 1);
    await listen(HAS_IPV6 ? '::' : '0.0.0.0', min + 2);
    await goOut(min + 3);
    const { imageId } = inject('e2e');
    const instances = [await server.api.createInstance(imageId), await server.api.createInstance(imageId)];
    expect(instances.map(({ port }) => port).sort()).toEqual([min + 3, min + 4]);
    for (const instance of instances) {
      for (const host of LOOPBACKS) {
        const access = { host, tls: { servername: 'localhost' } };
        expect(await query(instance, 'SELECT 6 * 7', access)).toEqual([42]);
      }
    }
    const before = await readHostState();
    const body = { data: { type: 'instances', attributes: { image_id: imageId } } };
    const answer = await server.api.send('POST', '/instances', { body });
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBeDefined();
    expect(answer.json).toMatchObject({
      id: 'no_free_port',
      detail: `all ports from ${min} to ${min + 4} are taken`,
    });
    expect(await readHostState()).toEqual(before);
    for (const { id } of instances) await server.api.destroyInstance(id);
  });
});
