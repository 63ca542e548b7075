import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { findListenError } from '../../../src/exec/listen-probe.ts';
import { parseListeningSockets, readListeningSockets } from '../../../src/exec/listening-sockets.ts';

/** As the kernel prints it (proc_pid_net(5)). */
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   104        0 31337 1 0000000000000000 100 0 0 10 0
   1: 0100007F:9C40 0100007F:20FB 01 00000000:00000000 00:00000000 00000000  1000        0 31338 1 0000000000000000 20 4 30 10 -1`;

const server = createServer();
afterEach(() => new Promise((resolve) => server.close(resolve)));

describe('the listening sockets', () => {
  it('are those in state LISTEN, with their port and user', () => {
    expect(parseListeningSockets(TCP.split('\n'), 4)).toEqual([{ family: 4, port: 8443, uid: 104 }]);
  });

  it('of this host have a socket of this process, on which no other can listen', async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(await readListeningSockets()).toContainEqual({ family: 4, port, uid: process.geteuid?.() });
    expect(await findListenError({ host: '127.0.0.1', port })).toBe('EADDRINUSE');
    expect(await findListenError({ host: '192.0.2.1', port })).toBe('EADDRNOTAVAIL');
    expect(await findListenError({ host: '127.0.0.1', port: 0 })).toBeUndefined();
  });
});
