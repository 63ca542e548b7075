import type { ErrorBody } from '../wire.ts';
import { CliError } from './failure.ts';
import { describeTarget } from './redirect.ts';
import type { Reply } from './send-request.ts';

/** An answer that is no success. */
export class AnswerError extends CliError {
  readonly status: number;
  /** Of the API's error; undefined where something else than a Draupnir server has answered. */
  readonly id: string | undefined;

  constructor(
    message: string,
    options: { status: number; id?: string | undefined; hint?: string | undefined },
  ) {
    super(message, options);
    this.name = 'AnswerError';
    this.status = options.status;
    this.id = options.id;
  }
}

const SIGN_IN_HINT =
  'sign in: draupnir authenticate --force; ' +
  'a bot needs the shared secret as Token.RefreshToken in its settings file';
const NO_SIGN_IN_HINT =
  'sign-in is disabled on this server: ' +
  'ask its operator for a token, to be Token.RefreshToken in the settings file';

/**
 * Reads the JSON of an answer; undefined for 204. Throws `AnswerError` for an error answer and for what is
 * not JSON.
 */
export function readAnswer(reply: Reply): unknown {
  if (reply.status === 204) return undefined;
  const body = findJson(reply.body);
  if (body === undefined) throw describeForeignAnswer(reply);
  if (reply.status >= 200 && reply.status < 300) return body.value;
  throw findApiError(body.value, reply) ?? describeForeignAnswer(reply);
}

/**
 * The error for an error object of the API, as `<title> (<detail>)` (contract: command line); undefined for
 * anything else.
 */
export function findApiError(
  body: unknown,
  { status, headers }: Pick<Reply, 'status' | 'headers'>,
): AnswerError | undefined {
  const { id, title, detail } = (body ?? {}) as { [K in keyof ErrorBody]?: unknown };
  if (typeof title !== 'string' || typeof detail !== 'string') return undefined;
  return new AnswerError(`${title} (${detail})`, {
    status,
    id: typeof id === 'string' ? id : '',
    hint: findHint(status, headers['www-authenticate']),
  });
}

/**
 * The server names a disabled sign-in in its challenge (http/challenge.ts), also when a client waits for one.
 */
function findHint(status: number, challenge = ''): string | undefined {
  if (/\bsign_in="disabled"/.test(challenge)) return NO_SIGN_IN_HINT;
  return status === 401 ? SIGN_IN_HINT : undefined;
}

/**
 * A proxy in between, a network's sign-in page, another program, or a server that died. Its text is not
 * shown: it is a page.
 */
function describeForeignAnswer({ server, status, headers, redirect, proxy }: Reply): AnswerError {
  const type = headers['content-type']?.split(';', 1)[0]?.trim() ?? '';
  const target = redirect === undefined ? '' : `, redirecting to ${describeTarget(redirect.to)}`;
  return new AnswerError(
    `${server} answered ${status} with ${type || 'no content'}${target}, ` +
      'which is no answer of a Draupnir server',
    { status, hint: redirect?.refusal ?? getForeignHint(type, proxy?.name) },
  );
}

function getForeignHint(type: string, proxy: string | undefined): string {
  if (proxy !== undefined) {
    return `check the server (draupnir config show); the answer may be that of the proxy ${proxy}`;
  }
  const between = type === 'text/html' ? "a proxy or the network's sign-in page" : 'a proxy';
  return `check the server (draupnir config show), and whether ${between} is in between`;
}

function findJson(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}
