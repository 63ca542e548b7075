import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { getInstallation, SERVER_USER } from './installation.ts';
import { getMetadataCluster, queryMetadata } from './metadata.ts';

/** Postgres calls its socket so (PostgreSQL manual, unix_socket_directories). */
const SOCKET = '.s.PGSQL.5432';

/**
 * Stands between the server and its metadata database, on a socket of its own, and spoils what passes. It connects as root,
 * whom it makes the database take for the server's user as long as it lasts.
 */
export class DatabaseProxy {
  /** Directory of the socket, for `database_url`. */
  readonly dir: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #restore: () => Promise<void>;
  /** How long each message of a client waits, in milliseconds. */
  delayMs = 0;
  /** After so many bytes of answers each connection is cut; undefined cuts none. */
  cutAfter: number | undefined;
  /** How many connections were cut. */
  cuts = 0;

  private constructor(dir: string, restore: () => Promise<void>) {
    this.dir = dir;
    this.#restore = restore;
    this.#server = createServer((client) => this.#serve(client));
  }

  static async start(): Promise<DatabaseProxy> {
    const { scratch, metadata } = getInstallation();
    const dir = await mkdtemp(join(scratch, 'proxy-'));
    await chmod(dir, 0o755);
    const proxy = new DatabaseProxy(dir, await admitRoot(join(metadata, 'data')));
    proxy.#server.listen(join(dir, SOCKET));
    await once(proxy.#server, 'listening');
    await chmod(join(dir, SOCKET), 0o777);
    return proxy;
  }

  /** Cuts all connections there are. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.cut();
    await rm(this.dir, { recursive: true });
    await this.#restore();
  }

  #serve(client: Socket): void {
    const database = createConnection(join(getInstallation().metadata, SOCKET));
    for (const socket of [client, database]) {
      this.#sockets.add(socket);
      // Whichever end goes first, the other goes with it.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        database.destroy();
      });
    }
    client.on('data', (chunk) => {
      if (this.delayMs === 0) database.write(chunk);
      else setTimeout(() => database.write(chunk), this.delayMs);
    });
    let passed = 0;
    database.on('data', (chunk: Buffer) => {
      const left = (this.cutAfter ?? Infinity) - passed;
      passed += chunk.length;
      client.write(left < chunk.length ? chunk.subarray(0, Math.max(0, left)) : chunk);
      if (left >= chunk.length) return;
      this.cuts++;
      client.destroySoon();
      database.destroy();
    });
  }
}

/** Lets root connect as the server's user too; resolves to what takes that back. */
async function admitRoot(data: string): Promise<() => Promise<void>> {
  const files = { hba: join(data, 'pg_hba.conf'), ident: join(data, 'pg_ident.conf') };
  const [hba, ident] = [await readFile(files.hba, 'utf8'), await readFile(files.ident, 'utf8')];
  await writeFile(files.hba, 'local all all peer map=proxy\n');
  await writeFile(files.ident, `proxy root ${SERVER_USER}\nproxy ${SERVER_USER} ${SERVER_USER}\n`);
  await queryMetadata('SELECT pg_reload_conf()');
  return async () => {
    await writeFile(files.hba, hba);
    await writeFile(files.ident, ident);
    await getMetadataCluster(getInstallation()).query('postgres', 'SELECT pg_reload_conf()');
  };
}
