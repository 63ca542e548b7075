import closeWithGrace from 'close-with-grace';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { ServerConfig } from '../config/server-config.ts';
import type { ErrorReporter } from '../core/error-reporter.ts';
import type { Composition } from './compose.ts';

/**
 * Takes no new requests, ends preparations (their uploads stay), sends away who waits for a sign-in, waits for creations
 * and destructions under way and for the answers to be sent, then exits. What takes longer than `shutdown_timeout` is
 * finished at the next start.
 */
export function closeOnSignal(
  config: ServerConfig,
  parts: {
    composition: Composition;
    listeners: FastifyInstance[];
    opened: AsyncDisposableStack;
    log: Logger;
    errors: ErrorReporter | undefined;
  },
): void {
  const { composition, listeners, opened, log, errors } = parts;
  const { images, instances, credentials, logins } = composition.app;
  closeWithGrace(
    { delay: config.shutdownTimeoutMs, logger: false, skip: ['SIGHUP'] },
    async ({ signal, err }) => {
      if (err) {
        log.fatal({ err }, 'unexpected failure');
        errors?.report(err, { failure: 'unexpected failure', errorId: 'unexpected_failure' });
      } else log.info({ signal }, 'stopping');
      const closed = listeners.map((listener) => listener.close());
      const stopped = composition.loops.map((loop) => loop.stop());
      logins.close();
      await Promise.all([images.close(), instances.close(), credentials.close(), ...stopped, ...closed]);
      await composition.coolDown();
      await opened.disposeAsync();
      log.info({}, 'stopped');
    },
  );
}
