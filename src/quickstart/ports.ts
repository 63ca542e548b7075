import { createServer } from 'node:net';
import { readFile } from 'node:fs/promises';
import type { Ports } from './installation.ts';
import type { Layout } from './layout.ts';

const FIRST_API_PORT = 8443;
const INSTANCE_MIN = 16_432;
const INSTANCE_COUNT = 200;

/** Ports for the installation: those of an earlier run, else the API gets the first free one from 8443. */
export async function choosePorts(layout: Layout): Promise<Ports> {
  const instances = { instanceMin: INSTANCE_MIN, instanceMax: INSTANCE_MIN + INSTANCE_COUNT };
  const config = await readFile(layout.config, 'utf8').catch(() => '');
  const earlier = /^listen_address = ".*:([0-9]+)"$/m.exec(config)?.[1];
  if (earlier !== undefined) return { api: Number(earlier), ...instances };
  for (let port = FIRST_API_PORT; port < FIRST_API_PORT + INSTANCE_COUNT; port++) {
    if (await canListen(port)) return { api: port, ...instances };
  }
  throw new Error(`no free port for the API from ${FIRST_API_PORT} on`);
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: 'localhost', port }, () => server.close(() => resolve(true)));
  });
}
