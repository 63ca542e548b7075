import type { ErrorEvent, Exception, StackFrame } from '@sentry/node';

const EVENT = [
  ...(['event_id', 'timestamp', 'platform', 'level', 'release', 'environment'] as const),
  ...(['transaction', 'fingerprint'] as const),
];
const FRAME = ['function', 'filename', 'module', 'lineno', 'in_app'] as const;
const TAGS = [
  ...['error_id', 'error_kind', 'request_id', 'method', 'route', 'status', 'loop', 'image_id', 'step'],
  ...['code', 'script', 'exit_code', 'suppressed'],
];

/** `beforeSend`: a new event with the fixed list of fields. What the SDK has added is dropped. */
export function keepAllowedFields(event: ErrorEvent): ErrorEvent {
  return {
    type: undefined,
    ...pick(event, EVENT),
    exception: { values: (event.exception?.values ?? []).map(keepException) },
    tags: pick(event.tags ?? {}, TAGS),
  };
}

function keepException(exception: Exception): Exception {
  const frames = exception.stacktrace?.frames;
  return {
    ...pick(exception, ['type', 'value'] as const),
    ...(frames && { stacktrace: { frames: frames.map((frame: StackFrame) => pick(frame, FRAME)) } }),
  };
}

function pick<T extends object, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  const given = names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]);
  return Object.fromEntries(given) as Pick<T, K>;
}
