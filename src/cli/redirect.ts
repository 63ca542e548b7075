import type { Answer, Request } from './exchange.ts';

/**
 * What a redirect comes to: the request to send instead, or why none is sent. Undefined where there is no
 * redirect.
 */
export type Redirect = { to: URL; next: Request } | { to: URL; refusal: string } | undefined;

/** RFC 9110, section 15.4. The first three may turn a POST into a GET; the last two keep method and body. */
const CHANGING = [301, 302, 303];
const KEEPING = [307, 308];

/**
 * Decides about a redirect. Followed on the same host only: on the same port, or from HTTP to HTTPS. The
 * token would reach another host, or travel in the clear.
 */
export function readRedirect(request: Request, { status, headers }: Answer): Redirect {
  if (![...CHANGING, ...KEEPING].includes(status) || headers.location === undefined) return undefined;
  const to = URL.parse(headers.location, request.url);
  if (to === null) return undefined;
  const refusal = findRefusal(request, to, status);
  return refusal === undefined ? { to, next: { ...request, url: to } } : { to, refusal };
}

/** The target, without what may be secret: user, query and fragment. */
export function describeTarget({ origin, pathname, href }: URL): string {
  return origin === 'null' ? href : `${origin}${pathname}`;
}

function findRefusal({ method, url }: Request, to: URL, status: number): string | undefined {
  if (to.protocol !== 'https:' && to.protocol !== 'http:') return 'only HTTP and HTTPS can be followed';
  if (url.protocol === 'https:' && to.protocol === 'http:') {
    return 'nothing was sent there, since it is not encrypted';
  }
  const isUpgrade = url.protocol === 'http:' && to.protocol === 'https:';
  if (to.hostname !== url.hostname || (to.port !== url.port && !isUpgrade)) {
    return `nothing was sent there; if that is the server: draupnir config set domain ${to.host}`;
  }
  if (method !== 'GET' && CHANGING.includes(status)) {
    const hint = isUpgrade ? '; leave out --insecure' : '';
    return `${method} is not repeated there, since ${status} may change it${hint}`;
  }
  return undefined;
}
