import type { ServerConfig } from '../config/server-config.ts';
import type { ErrorReporter } from '../core/error-reporter.ts';
import type { Log } from '../core/log.ts';
import { VERSION } from '../version.ts';

/** Longest wait for reports under way when the server stops, in milliseconds. */
const FLUSH_MS = 2000;

/** Opens the connection to Sentry; undefined without `sentry_dsn`. The SDK is loaded only with it. */
export async function openErrorReporter(
  config: Pick<ServerConfig, 'sentryDsn' | 'environment' | 'shutdownTimeoutMs'>,
  log: Log,
): Promise<(ErrorReporter & AsyncDisposable) | undefined> {
  const { sentryDsn: dsn, environment, shutdownTimeoutMs } = config;
  if (!dsn) return undefined;
  const { SentryReporter } = await import('../sentry/sentry-reporter.ts');
  // The rest of a stop needs time as well.
  const flushMs = Math.min(FLUSH_MS, shutdownTimeoutMs / 2);
  return new SentryReporter({ dsn, environment, release: VERSION, log, flushMs });
}
