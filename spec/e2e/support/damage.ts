import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect } from 'vitest';
import { queryMetadata } from './metadata.ts';
import { listProcessesOf, signal } from './processes.ts';
import type { ServerInUse } from './use-server.ts';
import { waitUntil } from './wait.ts';

/** An id far from those that are handed out; so are the next hundred. */
export const UNKNOWN = 777_001;

/** Damage that a test does to an installation, and how it is undone, in the opposite order. */
export class Damage {
  readonly #server: ServerInUse;
  readonly #steps: (() => Promise<unknown>)[] = [];

  constructor(server: ServerInUse) {
    this.#server = server;
  }

  undoBy(step: () => Promise<unknown>): void {
    this.#steps.push(step);
  }

  /** Undoes all that was done, whether a test has passed or not. */
  async undo(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) await step();
  }

  /** Nothing repairs the damage until it is undone. */
  async stopServer(): Promise<void> {
    expect(await this.#server.process.stop()).toBe(0);
    this.undoBy(() => this.#server.start());
  }

  /** A program that does nothing as that uid, as a child of no service; resolves to its process id. */
  async startStray(uid: number): Promise<number> {
    const child = spawn('setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'sleep', '600'], {
      detached: true,
      stdio: 'ignore',
    });
    await once(child, 'spawn');
    this.undoBy(() => Promise.resolve(child.kill('SIGKILL')));
    await waitUntil('it has become that user', async () =>
      (await listProcessesOf(uid)).some((p) => p.pid === child.pid),
    );
    return child.pid ?? 0;
  }

  async listen(host: string, port: number): Promise<void> {
    // A socket that is not read would never notice that the other side is gone.
    const listener = createServer((socket) => void socket.resume().on('error', () => undefined));
    listener.listen({ host, port, ipv6Only: true });
    await once(listener, 'listening');
    this.undoBy(async () => {
      listener.close();
      await once(listener, 'close');
    });
  }

  async insertImage(id: number, status: string): Promise<void> {
    await queryMetadata(
      `INSERT INTO images (id, backed_up_at, created_at, updated_at, ready, status)
       VALUES (${id}, now(), now(), now(), ${status === 'ready'}, '${status}')`,
    );
    this.undoBy(() => queryMetadata(`DELETE FROM images WHERE id = ${id}`));
  }
}

export async function killAll(uid: number): Promise<void> {
  for (const { pid } of await listProcessesOf(uid)) signal(pid, 'SIGKILL');
  await waitUntil('they are gone', async () => (await listProcessesOf(uid)).length === 0);
}
