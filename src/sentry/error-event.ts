import { DomainError } from '../core/errors.ts';
import type { ErrorContext } from '../core/error-reporter.ts';
import { type Frame, readFrames } from './stack-frames.ts';

/** One error of a chain of causes. `value` is constant text, in the place of the message. */
export interface ReportedException {
  type: string;
  value: string;
  stacktrace?: { frames: Frame[] };
}

/** What is reported of an error; further fields of Sentry's events are never set. */
export interface ErrorEvent {
  level: 'error';
  exception: { values: ReportedException[] };
  tags: Record<string, string>;
  /** Route or loop. */
  transaction?: string;
  fingerprint: string[];
}

/** Longest chain of causes. */
const MAX_CAUSES = 4;
/** Names of classes, and codes such as ECONNREFUSED or 42P01: neither holds data. */
const NAME = /^[A-Za-z][\w.]{0,80}$/;
const CODE = /^(?:[A-Z][A-Z0-9_]{2,40}|[0-9A-Z]{5})$/;
const SCRIPT = /^draupnir-[a-z-]{1,60}$/;
const STEP = /^[a-z]{1,40}$/;

/** Builds the event. Messages and all fields of the error but the few named here are left out. */
export function buildErrorEvent(error: unknown, context: ErrorContext, suppressed: number): ErrorEvent {
  const chain = listCauses(error);
  const { method, route, loop } = context;
  const place = route === undefined ? loop : [method, route].filter(Boolean).join(' ');
  return {
    level: 'error',
    // Sentry wants the innermost cause first.
    exception: { values: chain.map((cause) => describeException(cause, context.failure)).reverse() },
    tags: buildTags(chain, context, suppressed),
    ...(place !== undefined && { transaction: place }),
    fingerprint: ['{{ default }}', context.errorId],
  };
}

/** Name of the error's class; `unknown` for what is no error or has a name of another form. */
export function getErrorType(error: unknown): string {
  return error instanceof Error && NAME.test(error.name) ? error.name : 'unknown';
}

function listCauses(error: unknown): unknown[] {
  const chain = [error];
  let last = error;
  while (last instanceof Error && last.cause !== undefined && chain.length < MAX_CAUSES) {
    last = last.cause;
    chain.push(last);
  }
  return chain;
}

function describeException(error: unknown, value: string): ReportedException {
  const frames = error instanceof Error ? readFrames(error) : [];
  return { type: getErrorType(error), value, ...(frames.length > 0 && { stacktrace: { frames } }) };
}

function buildTags(chain: unknown[], context: ErrorContext, suppressed: number): Record<string, string> {
  const [error] = chain;
  const step = context.step !== undefined && STEP.test(context.step) ? context.step : undefined;
  const tags = {
    error_id: context.errorId,
    error_kind: error instanceof DomainError ? error.kind : undefined,
    request_id: context.requestId,
    method: context.method,
    route: context.route,
    status: context.status,
    loop: context.loop,
    image_id: context.imageId,
    step,
    code: findField(chain, 'code', CODE),
    script: findField(chain, 'script', SCRIPT),
    exit_code: findField(chain, 'exitCode', /^\d{1,3}$/),
    suppressed: suppressed === 0 ? undefined : suppressed,
  };
  const given = Object.entries(tags).filter((tag) => tag[1] !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}

/** The field of the first error of the chain that has one of that form. */
function findField(chain: unknown[], name: string, form: RegExp): string | undefined {
  for (const error of chain) {
    const value: unknown = error instanceof Error ? Reflect.get(error, name) : undefined;
    if ((typeof value === 'string' || typeof value === 'number') && form.test(String(value))) {
      return String(value);
    }
  }
  return undefined;
}
