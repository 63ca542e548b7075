import type { Outcome } from './outcome.ts';

/** What a host can show databases of. */
export interface LocaleFacts {
  /** As `locale -a` lists them. */
  readonly installed: readonly string[];
  /** Whether localedef(1) and the sources of locales are there. */
  readonly canCompile: boolean;
}

const file = 'this host';
const path = 'locales';

/** Postgres opens no database of a locale that the host lacks, and glibc has these alone without the package `locales`. */
const BUILT_IN = /^(C|POSIX|C\.utf-?8)$/i;

/** Whether locales of other hosts, such as en_US.UTF-8, are there or can be made. */
export function* checkLocales({ installed, canCompile }: LocaleFacts): Generator<Outcome> {
  const utf8 = installed.filter((name) => /\.utf-?8$/i.test(name) && !BUILT_IN.test(name));
  if (utf8.length > 0) {
    yield { level: 'ok', file, path, message: utf8.join(', ') };
  } else if (canCompile) {
    yield { level: 'ok', file, path, message: 'none but C.UTF-8 is installed; localedef can make others' };
  } else {
    const message =
      'there is no locale but C.UTF-8, and a backup of another cannot be prepared: run apt-get install locales && dpkg-reconfigure locales';
    yield { level: 'warning', file, path, message };
  }
}
