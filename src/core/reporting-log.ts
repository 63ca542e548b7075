import type { ErrorReporter } from './error-reporter.ts';
import type { Log } from './log.ts';

/** A log for work in the background: its errors are reported as well, without further fields. */
export class ReportingLog implements Log {
  readonly #log: Log;
  readonly #errors: ErrorReporter;

  constructor(log: Log, errors: ErrorReporter) {
    this.#log = log;
    this.#errors = errors;
  }

  info(fields: object, message: string): void {
    this.#log.info(fields, message);
  }

  warn(fields: object, message: string): void {
    this.#log.warn(fields, message);
  }

  error(fields: object, message: string): void {
    this.#log.error(fields, message);
    if ('err' in fields) this.#errors.report(fields.err, { failure: message, errorId: 'background_failure' });
  }
}
