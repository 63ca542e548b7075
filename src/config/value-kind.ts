import { isAbsolute, normalize } from 'node:path';
import { Secret } from '../core/secret.ts';
import { isCidr } from './cidr.ts';
import { parseDatabaseUrl } from './database-url.ts';
import type { DatabaseUrl } from './database-url.ts';
import { formatGoDuration, parseGoDuration } from './go-duration.ts';
import { isHostname, isIpAddress } from './hostname.ts';
import { parseListenAddress } from './listen-address.ts';
import type { ListenAddress } from './listen-address.ts';

/** What reading a value came to. */
export type Reading<T> = { value: T; warning?: string } | { problems: string[] };

/** What a key's value may be. */
export interface ValueKind<T> {
  /** What is right, for a key that is missing: `must be …`. */
  expected: string;
  /** The value must never be shown. */
  secret?: boolean;
  read(value: unknown): Reading<T>;
}

/** The longest a timer can wait in Node, 2^31 - 1 ms; anything longer would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A kind whose values are wrong in one way only: `parse` returns undefined for those. */
function createKind<T>(expected: string, parse: (value: unknown) => T | undefined): ValueKind<T> {
  const read = (value: unknown): Reading<T> => {
    const parsed = parse(value);
    return parsed === undefined ? { problems: [expected] } : { value: parsed };
  };
  return { expected, read };
}

function createTextKind<T>(expected: string, parse: (text: string) => T | undefined): ValueKind<T> {
  return createKind(expected, (value) => (typeof value === 'string' ? parse(value) : undefined));
}

/** Any text that is not blank. */
export const textKind = createTextKind('must be text in quotes', (text) =>
  text.trim() === '' ? undefined : text,
);

/** Text that is never shown. */
export const secretKind: ValueKind<Secret> = {
  ...createTextKind('must be text of your own, in quotes', (text) =>
    // What stands in sample/config.toml is known to everybody.
    text.trim() === '' || text.startsWith('replace-this') ? undefined : new Secret(text),
  ),
  secret: true,
};

export const booleanKind = createKind('must be true or false, without quotes', (value) =>
  typeof value === 'boolean' ? value : undefined,
);

/** A whole number in [min, max]. */
export function integerKind(min: number, max: number): ValueKind<number> {
  return createKind(`must be a whole number from ${min} to ${max}, without quotes`, (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : undefined,
  );
}

/** One of a few words. */
export function wordKind<const T extends string>(...words: readonly T[]): ValueKind<T> {
  const list = words.map((word) => `"${word}"`).join(', ');
  return createTextKind(`must be one of ${list}`, (text) => words.find((word) => word === text));
}

const UNITS: Readonly<Record<string, number>> = { MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** A size in bytes. */
export const sizeKind = createTextKind(
  'must be a size, such as "500MiB" or "10GiB"; "0MiB" for none',
  (text) => {
    const [, number, unit = ''] = /^(\d{1,6}(?:\.\d{1,3})?)(MiB|GiB|TiB)$/.exec(text) ?? [];
    return number === undefined ? undefined : Math.round(Number(number) * (UNITS[unit] ?? NaN));
  },
);

/** A Go duration in milliseconds; one that no timer can wait for is cut to what it can, with a warning. */
function createDurationKind(expected: string, isAllowed: (ms: number) => boolean): ValueKind<number> {
  const kind = createTextKind(expected, (text) => {
    const ms = parseGoDuration(text);
    return ms !== undefined && isAllowed(ms) ? ms : undefined;
  });
  const read = (value: unknown): Reading<number> => {
    const reading = kind.read(value);
    if ('problems' in reading || reading.value <= MAX_TIMER_MS) return reading;
    const warning = `longer than a timer can wait: taken as ${formatGoDuration(MAX_TIMER_MS)}`;
    return { value: MAX_TIMER_MS, warning };
  };
  return { ...kind, read };
}

export const durationKind = createDurationKind(
  'must be a positive duration, such as "30m", "6h" or "1h30m"',
  (ms) => ms > 0,
);

/** A positive duration that nothing waits for, however long. */
export const ageKind = createTextKind(durationKind.expected, (text) => {
  const ms = parseGoDuration(text);
  return ms !== undefined && ms > 0 ? ms : undefined;
});

/** "0s" is right as well. */
export const durationOrZeroKind = createDurationKind(
  'must be a duration, such as "0s", "30m" or "72h"',
  (ms) => ms >= 0,
);

const HOUR_MS = 3_600_000;

/** How long certificates are valid; no timer waits for it. Clocks that differ by an hour must still agree on one. */
export const certificateLifetimeKind = createTextKind(
  'must be a duration from "1h" to "87600h" (ten years), such as "720h"',
  (text) => {
    const ms = parseGoDuration(text);
    return ms !== undefined && ms >= HOUR_MS && ms <= 87_600 * HOUR_MS ? ms : undefined;
  },
);

/** An absolute path, returned without a final slash. */
export function absolutePathKind(example: string): ValueKind<string> {
  return createTextKind(`must be an absolute path without "..", such as "${example}"`, (text) => {
    if (!isAbsolute(text) || text.split('/').includes('..') || text.includes('\0')) return undefined;
    const path = normalize(text).replace(/(?<=.)\/$/, '');
    return path === '/' ? undefined : path;
  });
}

export const listenAddressKind: ValueKind<ListenAddress> = createTextKind(
  'must be "host:port", such as "0.0.0.0:8443"',
  parseListenAddress,
);

export const hostnameKind = createTextKind(
  'must be a host name or an IP address, without a port, such as "db.example.com"',
  (text) => (isHostname(text) || (isIpAddress(text) && !text.includes('%')) ? text : undefined),
);

/** What follows the `@` is required: a lone `@` would trust every address there is. */
export const emailDomainKind = createTextKind('must be "@" and a domain, such as "@example.com"', (text) =>
  text.startsWith('@') && isHostname(text.slice(1)) ? text : undefined,
);

export const webUrlKind = createTextKind(
  'must be a URL, such as "https://draupnir.example.com/oauth_callback"',
  (text) => (/^https?:$/.test(URL.parse(text)?.protocol ?? '') ? text : undefined),
);

/** Where the server sends its secret: encrypted, or on this machine. */
export const providerUrlKind = createTextKind(
  'must be an https URL, such as "https://oauth2.googleapis.com/token"; http is for addresses of this machine',
  (text) => {
    const url = URL.parse(text);
    const local = url !== null && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
    const usable = url?.protocol === 'https:' || (url?.protocol === 'http:' && local);
    return usable && url.search === '' && url.hash === '' && url.username === '' ? text : undefined;
  },
);

/** As Sentry's SDK reads it, which prints one that it cannot read on stderr, key and all. */
const SENTRY_DSN = /^https?:\/\/\w+(?::\w+)?@(?:\[[:.\w]+\]|[\w.-]+)(?::\d+)?\/(?:[\w.-]+\/)*\d+$/;

/** A Sentry DSN, `https://KEY@HOST/PROJECT`. Its key is a credential. */
export const sentryDsnKind: ValueKind<Secret> = {
  ...createTextKind('must be a Sentry DSN, such as "https://KEY@sentry.example.com/1"', (text) => {
    return SENTRY_DSN.test(text) && URL.canParse(text) ? new Secret(text) : undefined;
  }),
  secret: true,
};

export const cidrsKind = createKind(
  'must be a list of networks, such as ["10.32.0.0/16", "2001:db8::/32"]; a single address is "192.0.2.1/32"',
  (value) => {
    const isNetwork = (item: unknown): item is string => typeof item === 'string' && isCidr(item);
    return Array.isArray(value) && value.every(isNetwork) ? value : undefined;
  },
);

export const databaseUrlKind: ValueKind<DatabaseUrl> = (() => {
  const expected =
    'must be a Postgres URI or libpq keywords, such as "host=/run/postgresql user=draupnir dbname=draupnir"';
  const read = (value: unknown): Reading<DatabaseUrl> => {
    if (typeof value !== 'string') return { problems: [expected] };
    const database = parseDatabaseUrl(value);
    return 'problems' in database ? database : { value: database };
  };
  return { expected, secret: true, read };
})();
