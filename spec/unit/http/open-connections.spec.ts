import { EventEmitter } from 'node:events';
import { createServer, type Server } from 'node:http';
import { describe, expect, it } from 'vitest';
import { OpenConnections } from '../../../src/http/open-connections.ts';

/** A connection from one port of one client. */
class FakeSocket extends EventEmitter {
  readonly remoteAddress = '192.0.2.1';
  readonly remotePort = 40_000;
  readonly localAddress = '192.0.2.2';
  destroyed = false;

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

/** A server that never reads from its connections. */
function createIdleServer(): Server {
  return createServer().removeAllListeners('connection');
}

describe('the open connections of a server', () => {
  it('include one from a port that its client uses again, whose close is noticed late', () => {
    const server = createIdleServer();
    const connections = new OpenConnections(server);
    const [old, current] = [new FakeSocket(), new FakeSocket()];
    server.emit('connection', old);
    server.emit('connection', current);
    old.emit('close');
    connections.stop();
    expect([old.destroyed, current.destroyed]).toEqual([false, true]);
  });

  it('gain none once the server stops', () => {
    const server = createIdleServer();
    new OpenConnections(server).stop();
    const late = new FakeSocket();
    server.emit('connection', late);
    expect(late.destroyed).toBe(true);
  });
});
