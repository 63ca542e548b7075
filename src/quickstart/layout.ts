import { join } from 'node:path';

/**
 * Where a quickstart installation keeps what, and as whom: everything is below one directory. Users other than root own
 * `metadata`, `state` and `source`, below which root opens no file, and the uploads and instances in `data`.
 */
export type Layout = ReturnType<typeof createLayout>;

/** The users of an installation. */
export interface Accounts {
  /** Runs the server and its database. */
  server: string;
  /** Copies backups into the upload directories. */
  upload: string;
}

/** Of the first installation of a host. */
export const USUAL_ACCOUNTS: Accounts = { server: 'draupnir', upload: 'draupnir-upload' };

/** Sockets lie below the directory, and the name of a socket is limited to 107 bytes (unix(7)). */
const MAX_DIR_LENGTH = 50;

/** Names of all parts below `dir`. Throws with a reason when the directory cannot serve. */
export function createLayout(dir: string, accounts: Accounts = USUAL_ACCOUNTS) {
  if (!/^(\/[A-Za-z0-9._-]+)+$/.test(dir) || dir.split('/').some((part) => /^\.+$/.test(part))) {
    throw new Error(`${dir}: must be an absolute path of letters, digits, ".", "_" and "-"`);
  }
  if (dir.length > MAX_DIR_LENGTH) {
    throw new Error(`${dir}: must have at most ${MAX_DIR_LENGTH} characters, since sockets lie below it`);
  }
  const at = (...parts: string[]): string => join(dir, ...parts);
  return {
    dir,
    serverUser: accounts.server,
    uploadUser: accounts.upload,
    /** What was made outside the directory, for `--down`. */
    made: at('made.json'),
    program: at('bin', 'draupnir'),
    cli: at('draupnir'),
    env: at('quickstart.env'),
    settings: at('client', 'settings.toml'),
    scripts: at('scripts'),
    volume: at('volume.img'),
    data: at('data'),
    run: at('run'),
    metadata: at('metadata'),
    state: at('state'),
    config: at('etc', 'config.toml'),
    apiCa: at('etc', 'api-ca.crt'),
    apiCertificate: at('etc', 'api.crt'),
    apiKey: at('etc', 'api.key'),
    serverLog: at('log', 'server.log'),
    metadataLog: at('log', 'metadata.log'),
    source: at('source'),
    anonymisationScript: at('sample', 'anonymise.sql'),
  };
}
