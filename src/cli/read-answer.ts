import type { ErrorBody } from '../wire.ts';
import { CliError } from './failure.ts';
import type { Answer } from './send-request.ts';

// By `id` of the API's errors, where the person can do more than read the detail.
const HINTS: Record<string, string> = {
  unauthorized: 'sign in: draupnir authenticate --force',
};

/** Reads the JSON of an answer; undefined for 204. Throws `CliError` for an error answer and for what is not JSON. */
export function readAnswer(answer: Answer, server: string): unknown {
  if (answer.status === 204) return undefined;
  const body = findJson(answer.body);
  if (body === undefined) throw describeForeignAnswer(answer, server);
  if (answer.status >= 200 && answer.status < 300) return body.value;
  throw describeApiError(body.value, answer, server);
}

function describeApiError(body: unknown, answer: Answer, server: string): CliError {
  const { id, title, detail } = (body ?? {}) as { [K in keyof ErrorBody]?: unknown };
  if (typeof title !== 'string' || typeof detail !== 'string') return describeForeignAnswer(answer, server);
  return new CliError(`${title} (${detail})`, { hint: typeof id === 'string' ? HINTS[id] : undefined });
}

/** A proxy in between, another program on that port, or a server that died. Its text is not shown: it is a page. */
function describeForeignAnswer(answer: Answer, server: string): CliError {
  const type = answer.contentType.split(';', 1)[0]?.trim();
  const target = answer.location === undefined ? '' : `, redirecting to ${answer.location}`;
  return new CliError(
    `${server} answered ${answer.status} with ${type === '' || type === undefined ? 'no content' : type}${target}, ` +
      'which is no answer of a Draupnir server',
    { hint: 'check the server (draupnir config show), and whether a proxy is in between' },
  );
}

function findJson(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}
