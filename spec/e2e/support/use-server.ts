import { afterAll, beforeAll, expect, inject } from 'vitest';
import { Api } from './api.ts';
import { getInstallation } from './installation.ts';
import { Server } from './server.ts';
import { type ConfigChoices, writeServerConfig } from './server-config.ts';

/** The server of a test file. */
export interface ServerInUse {
  api: Api;
  /** The running process; there is none after `stop` until `start`. */
  process: Server;
  /** Starts it again, after a test has ended it. */
  start(): Promise<void>;
}

/**
 * Runs a server for the tests of a file; afterwards it destroys what they made, all but the shared image. An unexpected
 * failure in the server's log fails the file.
 */
export function useServer(choices: ConfigChoices = {}): ServerInUse {
  const servers: Server[] = [];
  const inUse: ServerInUse = {
    get api() {
      return new Api(getInstallation());
    },
    get process() {
      const server = servers.at(-1);
      if (!server) throw new Error('the server was not started');
      return server;
    },
    async start() {
      const installation = getInstallation();
      const config = await writeServerConfig(installation, 'config.toml', choices);
      servers.push(await Server.start(installation, config));
    },
  };

  beforeAll(() => inUse.start());
  afterAll(async () => {
    if (!inUse.process.isRunning) await inUse.start();
    await destroyAll(inUse.api);
    expect(await inUse.process.stop()).toBe(0);
    for (const server of servers) {
      const lines = await server.readLog();
      expect(lines.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
    }
  });
  return inUse;
}

async function destroyAll(api: Api): Promise<void> {
  for (const as of ['developer', 'upload'] as const) {
    const answer = await api.send('GET', '/instances', { as });
    if (answer.status !== 200) continue;
    for (const { id } of (answer.json as { data: { id: string }[] }).data)
      await api.destroyInstance(Number(id));
  }
  const images = await api.send('GET', '/images', { as: 'upload' });
  for (const { id } of (images.json as { data: { id: string }[] }).data) {
    if (Number(id) !== inject('e2e').imageId) await api.destroyImage(Number(id));
  }
}
