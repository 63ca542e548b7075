import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { findProcesses, startDaemon, stopDaemon, waitUntilReady } from './daemon.ts';
import type { Daemon } from './daemon.ts';
import type { Layout } from './layout.ts';
import type { Made } from './made.ts';

/** Starts the server in the background and waits until it answers; one that runs is replaced. */
export async function startServer(layout: Layout, made: Made, url: string): Promise<void> {
  const daemon = describeServer(layout);
  await stopDaemon(layout, made, daemon, 'SIGTERM');
  const ca = await readFile(layout.apiCa);
  const pid = await startDaemon(layout, made, daemon);
  await waitUntilReady(daemon, pid, () => answers(`${url}/health_check`, ca));
}

/** Stops the server, also one that somebody has started again by hand. */
export async function stopServer(layout: Layout, made: Made): Promise<void> {
  const daemon = describeServer(layout);
  await stopDaemon(layout, made, daemon, 'SIGTERM');
  for (const pid of await findProcesses(daemon.argv)) {
    made.processes[daemon.name] = pid;
    await stopDaemon(layout, made, daemon, 'SIGTERM');
  }
}

function describeServer(layout: Layout): Daemon {
  return {
    name: 'server',
    user: layout.serverUser,
    argv: [layout.program, 'server', '--config', layout.config],
    logFile: layout.serverLog,
  };
}

function answers(url: string, ca: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const asking = request(url, { ca, agent: false, timeout: 1000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asking.on('error', () => resolve(false));
    asking.on('timeout', () => asking.destroy());
    asking.end();
  });
}
