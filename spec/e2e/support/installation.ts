import { join } from 'node:path';
import { inject } from 'vitest';

/** Where the one installation of a test run keeps what; plain data, since it crosses from the global setup to the tests. */
export type Installation = ReturnType<typeof describeInstallation>;

/** What is chosen anew for every run. */
export interface Choices {
  /** Below it is everything but the users and the sudo rules. A short path: sockets lie below it (107 bytes, unix(7)). */
  dir: string;
  httpsPort: number;
  httpPort: number;
  metricsPort: number;
  sshPort: number;
  /** Debian's own major, which alone has pg_basebackup and extensions. */
  debianMajor: number;
  /** All majors the installation has, ascending. */
  majors: number[];
}

/** More ids than a test run hands out. */
export const UID_COUNT = 1_000_000;

/**
 * Runs of the tests that go on at the same time on one host take a slot each, from 0 to this: the ports of further ones would be those
 * of servers (ports.ts).
 */
export const LAST_SLOT = 12;

/** The slot of this run. */
export const SLOT = readSlot(process.env.DRAUPNIR_E2E_SLOT);

/** Installations of this slot's run, and of earlier ones. */
export const PARENT = '/var/lib';
/** Of the installations of all slots. */
export const ANY_PREFIX = /^draupnir-e2e\d*-/;
export const PREFIX = `draupnir-e2e${SLOT || ''}-`;

/** The server's user. */
export const SERVER_USER = `draupnir-e2e${SLOT || ''}`;
/** Copies backups by scp. */
export const UPLOAD_USER = `${SERVER_USER}-up`;
/**
 * What Draupnir 5.3 called `draupnir-instance`: it ran all instances of that version. Made by the tests that
 * need it.
 */
export const LEGACY_USER = `${SERVER_USER}-in`;
/** sudo ignores names with a dot (sudoers(5), "Including other files"). */
export const SUDOERS = `/etc/sudoers.d/${SERVER_USER}`;

/** Neither those of a packaged installation nor those of quickstart. */
export const IMAGE_UID_BASE = 2_600_000_000 + SLOT * UID_COUNT;
export const INSTANCE_UID_BASE = 2_700_000_000 + SLOT * UID_COUNT;

/** What the names of its firewall chains begin with; the default in the first slot. */
export const CHAIN_PREFIX = SLOT === 0 ? 'DRAUPNIR' : `DRAUPNIR-E${SLOT}`;

/** From `min`, below `max`; outside of what the kernel gives to clients, so that they are free. */
export const INSTANCE_PORTS = { min: 21_432 + SLOT * 200, max: 21_532 + SLOT * 200 };

/** Files and folders that an upload may hold: more than a small cluster has, and few enough for a test. */
export const MAX_UPLOAD_FILES = 20_000;

export const SECRET = 'the-shared-secret-of-the-e2e-tests';
/** The one token of a developer with `environment = "test"` (contract: HTTP API, "Authentication"). */
export const DEVELOPER = 'the-integration-access-token';

/** Names all parts below the directory. */
export function describeInstallation(choices: Choices) {
  const { dir } = choices;
  return {
    ...choices,
    program: join(dir, 'bin/draupnir'),
    scripts: join(dir, 'scripts'),
    volume: join(dir, 'volume.img'),
    data: join(dir, 'data'),
    run: join(dir, 'run'),
    postgres: join(dir, 'postgres'),
    metadata: join(dir, 'metadata'),
    state: join(dir, 'state'),
    tls: join(dir, 'tls'),
    ssh: join(dir, 'ssh'),
    /** Home of the upload user. */
    home: join(dir, 'home'),
    /** Clusters that stand for production, and their backups. */
    sources: join(dir, 'sources'),
    logs: join(dir, 'logs'),
    /** Files of single tests, removed with the installation. */
    scratch: join(dir, 'scratch'),
  };
}

/** What the tests are told by the global setup. */
export interface Provided {
  installation: Installation;
  /** A ready image, made of Debian's major and `sourceSql`, that all tests may make instances of and none may destroy. */
  imageId: number;
  /** Its backup, by pg_basebackup with gzip. */
  backup: string[];
}

declare module 'vitest' {
  interface ProvidedContext {
    e2e: Provided;
  }
}

function readSlot(value = '0'): number {
  const slot = Number(value);
  if (/^\d{1,2}$/.test(value) && slot <= LAST_SLOT) return slot;
  throw new Error(`DRAUPNIR_E2E_SLOT is "${value}": set it to a number from 0 to ${LAST_SLOT}`);
}

/** The installation of this run. */
export function getInstallation(): Installation {
  return inject('e2e').installation;
}
