import { createServer } from 'node:net';
import { SLOT } from './installation.ts';

/** Of a slot; below those that the kernel gives to clients, who would take one before its server does (ip(7), ip_local_port_range). */
const COUNT = 50;
const FIRST = 24_000 + SLOT * COUNT;
let next = 0;

/** A port of this host that nobody listens on; each call gives another. */
export async function findFreePort(): Promise<number> {
  for (let tries = 0; tries < COUNT; tries++) {
    const port = FIRST + (next++ % COUNT);
    if (await isFree(port)) return port;
  }
  throw new Error(`all ports from ${FIRST} to ${FIRST + COUNT - 1} are taken`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port }, () => server.close(() => resolve(true)));
  });
}
