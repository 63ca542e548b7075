import { type JsonMap, parse as parseToml, stringify as stringifyToml } from '@iarna/toml';
import { normaliseText } from '../config/normalise-text.ts';
import { CliError, EXIT_CONFIG } from './failure.ts';
import { UNSET_DOMAIN } from './server-address.ts';

/** What the client keeps between commands (contract: command line). */
export interface Settings {
  /** `host` or `host:port` of the server; `set-me-to-a-real-domain` until set. */
  domain: string;
  /** Database to connect to; empty when not set. */
  database: string;
  token: StoredToken;
  /** Keys of other programs or versions, by table; a rewrite keeps them. */
  foreign: { top: JsonMap; token: JsonMap };
}

/** An OAuth token. A bot has the shared secret as its refresh token and nothing else. */
export interface StoredToken {
  accessToken: string;
  tokenType: string;
  /** What goes out as bearer token. */
  refreshToken: string;
  expiry: Date | undefined;
}

/** The settings of someone who has none yet. */
export function createSettings(): Settings {
  return {
    domain: UNSET_DOMAIN,
    database: '',
    token: { accessToken: '', tokenType: '', refreshToken: '', expiry: undefined },
    foreign: { top: {}, token: {} },
  };
}

/**
 * Reads settings from TOML, or from the JSON that early versions wrote. Case of keys does not matter, as for the Go
 * library of the original; nor do underscores, since its JSON had `access_token` where its TOML has `AccessToken`.
 * `file` is for messages only, which never repeat contents: they may be a token. Throws `CliError`.
 */
export function parseSettings(raw: string, file: string): Settings {
  const text = normaliseText(raw);
  const top = new Table(/^\s*\{/.test(text) ? readJson(text, file) : readToml(text, file), file);
  const defaults = createSettings();
  const token = new Table(top.take('Token') ?? {}, file, 'Token.');
  return {
    domain: top.takeText('Domain') || defaults.domain,
    database: top.takeText('Database'),
    token: {
      accessToken: token.takeText('AccessToken'),
      tokenType: token.takeText('TokenType'),
      refreshToken: token.takeText('RefreshToken'),
      expiry: token.takeTime('Expiry'),
    },
    foreign: { top: top.rest, token: token.rest },
  };
}

/** Writes settings as TOML, with the key names that the original's Go library reads. */
export function formatSettings(settings: Settings): string {
  const { token, foreign } = settings;
  return stringifyToml({
    Domain: settings.domain,
    Database: settings.database,
    ...foreign.top,
    Token: {
      AccessToken: token.accessToken,
      TokenType: token.tokenType,
      RefreshToken: token.refreshToken,
      ...(token.expiry === undefined ? {} : { Expiry: token.expiry }),
      ...foreign.token,
    },
  });
}

/** A table from which known keys are taken one by one, whatever their case; the rest is foreign. */
class Table {
  readonly rest: JsonMap;
  readonly #file: string;
  readonly #prefix: string;

  constructor(value: unknown, file: string, prefix = '') {
    this.#file = file;
    this.#prefix = prefix;
    if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Date) {
      throw this.#problem('', 'must be a table');
    }
    this.rest = { ...(value as JsonMap) };
  }

  take(name: string): unknown {
    const spellings = Object.keys(this.rest).filter((key) => normalise(key) === normalise(name));
    // As Go does, the exact spelling wins over others.
    const chosen = spellings.includes(name) ? name : spellings[0];
    const value: unknown = chosen === undefined ? undefined : this.rest[chosen];
    for (const key of spellings) Reflect.deleteProperty(this.rest, key);
    return value ?? undefined;
  }

  takeText(name: string): string {
    const value = this.take(name) ?? '';
    if (typeof value !== 'string') throw this.#problem(name, 'must be a text in quotes');
    return value;
  }

  takeTime(name: string): Date | undefined {
    const value = this.take(name);
    if (value === undefined) return undefined;
    const time = new Date(value instanceof Date || typeof value === 'string' ? value : NaN);
    if (Number.isNaN(time.getTime()))
      throw this.#problem(name, 'must be a time such as 2017-05-01T12:00:00Z');
    return time;
  }

  #problem(name: string, what: string): CliError {
    return describeBrokenFile(this.#file, `${this.#prefix}${name} ${what}`.replace('. ', ' ').trimStart());
  }
}

function normalise(key: string): string {
  return key.replaceAll('_', '').toLowerCase();
}

function readToml(text: string, file: string): unknown {
  try {
    return parseToml(text);
  } catch (error) {
    // The message quotes the lines around the mistake: only its first part and the place are fit to be shown.
    const { message, line } = error as Error & { line?: number };
    const reason = message.split(/ at row |\n/, 1)[0] ?? '';
    throw describeBrokenFile(
      file,
      `${line === undefined ? '' : `line ${line + 1}: `}not valid TOML: ${reason}`,
    );
  }
}

function readJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const line = /line (\d+)/.exec((error as Error).message)?.[1];
    throw describeBrokenFile(file, `${line === undefined ? '' : `line ${line}: `}not valid JSON`);
  }
}

function describeBrokenFile(file: string, problem: string): CliError {
  return new CliError(`${file}: ${problem}`, {
    hint: 'correct the file, or remove it and begin again with draupnir config set domain',
    exitCode: EXIT_CONFIG,
  });
}
