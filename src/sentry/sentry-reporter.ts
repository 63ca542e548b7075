import { setTimeout as delay } from 'node:timers/promises';
import { NodeClient, Scope } from '@sentry/node';
import type { ErrorContext, ErrorReporter } from '../core/error-reporter.ts';
import type { Log } from '../core/log.ts';
import type { Secret } from '../core/secret.ts';
import { keepAllowedFields } from './allowed-fields.ts';
import { buildErrorEvent, getErrorType } from './error-event.ts';
import { ReportLimit } from './report-limit.ts';
import { limitTransport } from './transport.ts';

export interface SentryOptions {
  dsn: Secret;
  release: string;
  environment: string;
  log: Log;
  /** Longest time that `close` waits for reports under way, in milliseconds. */
  flushMs: number;
  /** Milliseconds. */
  now?: () => number;
}

/** Everything that the SDK would collect by itself (its option `dataCollection`). */
const NOTHING = {
  userInfo: false,
  cookies: false,
  httpHeaders: false,
  httpBodies: [],
  urlQueryParams: false,
  graphQL: { document: false, variables: false },
  genAI: { inputs: false, outputs: false },
  mcp: { inputs: false, outputs: false },
  databaseQueryData: false,
  queues: false,
  stackFrameVariables: false,
  frameContextLines: 0,
};

/**
 * Reports errors to Sentry. The client is used without `init`: it hooks nothing, has no integrations and no scope of
 * its own, and reads no SENTRY_ variables.
 */
export class SentryReporter implements ErrorReporter, AsyncDisposable {
  readonly #client: NodeClient;
  readonly #limit: ReportLimit;
  readonly #flushMs: number;
  readonly #stop = new AbortController();
  /** An error may pass several places that report. */
  readonly #reported = new WeakSet<Error>();

  constructor(options: SentryOptions) {
    this.#limit = new ReportLimit(options.now);
    this.#flushMs = options.flushMs;
    this.#client = new NodeClient({
      dsn: options.dsn.reveal(),
      release: options.release,
      environment: options.environment,
      integrations: [],
      stackParser: () => [],
      transport: limitTransport(this.#stop.signal, options.log),
      beforeSend: keepAllowedFields,
      dataCollection: NOTHING,
      maxBreadcrumbs: 0,
      includeServerName: false,
      includeLocalVariables: false,
      attachStacktrace: false,
      sendClientReports: false,
      traceLifecycle: 'static',
      enableOpenTelemetrySetup: false,
      enableRuntimeChannelInjection: false,
    });
  }

  report(error: unknown, context: ErrorContext): void {
    try {
      if (error instanceof Error) {
        if (this.#reported.has(error)) return;
        this.#reported.add(error);
      }
      const { failure, errorId, method, route, loop } = context;
      const suppressed = this.#limit.admit(
        [failure, errorId, getErrorType(error), method, route, loop].join(' '),
      );
      if (suppressed === undefined) return;
      this.#client.captureEvent(buildErrorEvent(error, context, suppressed), {}, new Scope());
    } catch {
      // A report must never become a failure of what it is about; the error itself is in the log.
    }
  }

  /** Waits for the reports under way, for `flushMs` at most, and gives up on the others. */
  async close(): Promise<void> {
    const timer = new AbortController();
    const overdue = delay(this.#flushMs, undefined, { signal: timer.signal, ref: false });
    await Promise.race([this.#client.close(this.#flushMs), overdue]).catch(() => undefined);
    timer.abort();
    this.#stop.abort();
    overdue.catch(() => undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
