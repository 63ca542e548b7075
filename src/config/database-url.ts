import { Secret } from '../core/secret.ts';
import { ConninfoError } from './conninfo-error.ts';
import { parseConninfo } from './conninfo.ts';
import { getNearestKey } from './nearest-key.ts';

const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;

/** How the connection is encrypted and whom it trusts; libpq's words. `prefer` and `allow` are not offered. */
export type SslMode = (typeof SSL_MODES)[number];

/** A database to connect to. What is absent follows the driver's defaults (PGHOST and so on, then localhost:5432). */
export interface DatabaseUrl {
  raw: Secret;
  /** Name, IP address, or the directory of a Unix socket, which starts with `/`. */
  host?: string;
  port?: number;
  user?: string;
  password?: Secret;
  database?: string;
  sslMode: SslMode;
  /** PEM file of trusted CAs, or `system` for the operating system's. Without it Node's own list counts. */
  sslRootCert?: string;
  sslCert?: string;
  sslKey?: string;
  connectTimeoutMs?: number;
  applicationName?: string;
  /** Command line options for the server process, such as `-c statement_timeout=5s`. */
  options?: string;
}

/** Checks one setting and stores it; returns what would be right when it is wrong. */
type Setter = (value: string, database: DatabaseUrl) => string | undefined;

const SETTERS: Readonly<Record<string, Setter>> = {
  host: (value, database) => {
    if (value.includes(',')) return 'host must be one host, not a list';
    if (value.startsWith('@')) return 'host must not be an abstract socket ("@…"): use a directory';
    database.host = value;
    return undefined;
  },
  port: (value, database) => {
    database.port = Number(value);
    return /^\d{1,5}$/.test(value) && database.port >= 1 && database.port <= 65535
      ? undefined
      : 'port must be a number from 1 to 65535';
  },
  user: (value, database) => void (database.user = value),
  password: (value, database) => void (database.password = new Secret(value)),
  dbname: (value, database) => void (database.database = value),
  sslmode: (value, database) => {
    const mode = SSL_MODES.find((known) => known === value);
    if (mode === undefined) {
      return `sslmode must be ${SSL_MODES.join(', ')}: others may fall back to an unencrypted connection unnoticed`;
    }
    database.sslMode = mode;
    return undefined;
  },
  sslrootcert: (value, database) => void (database.sslRootCert = value),
  sslcert: (value, database) => void (database.sslCert = value),
  sslkey: (value, database) => void (database.sslKey = value),
  connect_timeout: (value, database) => {
    if (!/^-?\d{1,6}$/.test(value)) return 'connect_timeout must be a whole number of seconds';
    // 0 and less mean: wait for ever.
    if (Number(value) > 0) database.connectTimeoutMs = Number(value) * 1000;
    return undefined;
  },
  application_name: (value, database) => void (database.applicationName = value),
  fallback_application_name: (value, database) => void (database.applicationName ??= value),
  options: (value, database) => void (database.options = value),
  client_encoding: (value) => (/^utf-?8$/i.test(value) ? undefined : 'client_encoding must be UTF8'),
};

/**
 * Reads `database_url`, in either form of libpq. Returns every problem instead of a database if there is one; problems
 * quote no value, since a password with an unescaped `@`, `/` or space ends up in all sorts of places.
 */
export function parseDatabaseUrl(text: string): DatabaseUrl | { problems: string[] } {
  try {
    // 5.3.x connected by lib/pq, where an absent sslmode means `require`: https://pkg.go.dev/github.com/lib/pq
    const database: DatabaseUrl = { raw: new Secret(text), sslMode: 'require' };
    const problems: string[] = [];
    // An empty value is as good as none, as in libpq.
    for (const [keyword, value] of parseConninfo(text)) {
      const setter = Object.hasOwn(SETTERS, keyword) ? SETTERS[keyword] : undefined;
      const problem =
        setter === undefined ? describeUnknown(keyword) : value === '' ? undefined : setter(value, database);
      if (problem !== undefined) problems.push(problem);
    }
    if ((database.sslCert === undefined) !== (database.sslKey === undefined)) {
      problems.push('sslcert and sslkey must be given together');
    }
    if (problems.length > 0) return { problems };
    applySslRules(database);
    return database;
  } catch (error) {
    if (error instanceof ConninfoError) return { problems: [error.message] };
    throw error;
  }
}

function applySslRules(database: DatabaseUrl): void {
  // libpq never encrypts on a Unix socket.
  if (database.host?.startsWith('/') === true) database.sslMode = 'disable';
  // libpq: a root certificate turns `require` into `verify-ca`; the system's CAs vouch for names only.
  else if (database.sslMode !== 'disable' && database.sslRootCert === 'system')
    database.sslMode = 'verify-full';
  else if (database.sslMode === 'require' && database.sslRootCert !== undefined)
    database.sslMode = 'verify-ca';
}

function describeUnknown(keyword: string): string {
  // What does not look like a keyword may be a piece of a password.
  const name = /^[a-z_]{1,40}$/.test(keyword) ? `"${keyword}"` : 'a keyword';
  return (
    `must not have ${name}, which draupnir does not know; the nearest it knows is ` +
    `"${getNearestKey(keyword, Object.keys(SETTERS))}" (a server parameter is given as options='-c NAME=VALUE')`
  );
}
