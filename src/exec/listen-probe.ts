import { createServer, type ListenOptions } from 'node:net';

/** Listens for a moment. Resolves to the code of the error, such as `EADDRINUSE`, or to undefined when that works. */
export function findListenError(options: ListenOptions): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
    server.listen(options, () => server.close(() => resolve(undefined)));
  });
}
