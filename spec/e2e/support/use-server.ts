import { afterAll, beforeAll, expect, inject } from 'vitest';
import { FakeGoogle } from '../../support/google.ts';
import { Api } from './api.ts';
import { getInstallation } from './installation.ts';
import { queryMetadata } from './metadata.ts';
import { type LogLine, Server } from './server.ts';
import { type ConfigChoices, writeServerConfig } from './server-config.ts';

/** The server of a test file. */
export interface ServerInUse {
  api: Api;
  /** The running process; there is none after `stop` until `start`. */
  process: Server;
  /** Starts it again, after a test has ended it. */
  start(): Promise<void>;
}

/** A server that people sign in at, and its provider. */
export interface GoogleServerInUse extends ServerInUse {
  google: FakeGoogle;
}

/** As `useServer`, with accounts at a Google of its own. */
export function useGoogleServer(choices: ConfigChoices = {}): GoogleServerInUse {
  let google: FakeGoogle | undefined;
  const getGoogle = (): FakeGoogle => {
    if (!google) throw new Error('the provider was not started');
    return google;
  };
  // Around the server: hooks that end things run in the opposite order.
  beforeAll(async () => {
    google = await FakeGoogle.start();
  });
  afterAll(() => getGoogle().stop());
  const server = useServer(() => ({ environment: 'e2e', provider: getGoogle(), ...choices }));
  return Object.defineProperty(server as GoogleServerInUse, 'google', { get: getGoogle });
}

/**
 * Runs a server for the tests of a file; afterwards it destroys what they made, all but the shared image. A failure in the
 * server's log that `isExpected` does not know fails the file.
 */
export function useServer(
  choices: ConfigChoices | (() => ConfigChoices) = {},
  isExpected: (line: LogLine) => boolean = () => false,
): ServerInUse {
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
      const chosen = typeof choices === 'function' ? choices() : choices;
      const config = await writeServerConfig(installation, 'config.toml', chosen);
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
      const failures = lines.filter(({ level }) => level === 'error' || level === 'fatal');
      expect(failures.filter((line) => !isExpected(line))).toEqual([]);
    }
  });
  return inUse;
}

async function destroyAll(api: Api): Promise<void> {
  // Nobody is shown the instances of all.
  const instances = await queryMetadata('SELECT id FROM instances');
  for (const id of instances.split('\n').filter(Boolean)) await api.destroyInstance(Number(id));
  const images = await api.send('GET', '/images', { as: 'upload' });
  for (const { id } of (images.json as { data: { id: string }[] }).data) {
    if (Number(id) !== inject('e2e').imageId) await api.destroyImage(Number(id));
  }
}
