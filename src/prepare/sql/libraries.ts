import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Session } from '../postgres/session.ts';

/** A library that an extension of a database needs and that is not installed. */
export interface MissingLibrary {
  readonly database: string;
  /** As the functions name it, such as `$libdir/postgis-3`. */
  readonly library: string;
  readonly extension: string;
}

const STEP = 'the list of the libraries';

/** By their functions in C, handlers of languages included. */
const LIBRARIES = `SELECT DISTINCT probin AS library, extname AS extension FROM pg_proc
  JOIN pg_depend ON classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e'
  JOIN pg_extension ON pg_extension.oid = refobjid
  WHERE prolang = (SELECT oid FROM pg_language WHERE lanname = 'c') AND probin IS NOT NULL
  ORDER BY 1, 2`;

/** Debian's packages of extensions, behind postgresql-MAJOR-. Others are called like their extension. */
const PACKAGES: Readonly<Record<string, string>> = {
  postgis: 'postgis-3',
  postgis_raster: 'postgis-3',
  postgis_sfcgal: 'postgis-3',
  postgis_topology: 'postgis-3',
  address_standardizer: 'postgis-3',
  vector: 'pgvector',
  hll: 'hll',
  pg_partman: 'partman',
  pg_cron: 'cron',
  pg_repack: 'repack',
  pg_similarity: 'similarity',
  pg_qualstats: 'pg-qualstats',
  pg_stat_kcache: 'pg-stat-kcache',
  plpython3u: 'plpython3',
  ip4r: 'ip4r',
  orafce: 'orafce',
  hypopg: 'hypopg',
  h3: 'h3',
  unit: 'unit',
  rum: 'rum',
};

/** The libraries that the host lacks for the extensions of a database. */
export async function listMissingLibraries(
  session: Pick<Session, 'run' | 'database'>,
): Promise<MissingLibrary[]> {
  const { database } = session;
  const [config] = await session.run<{ path: string }>(
    STEP,
    `SELECT setting AS path FROM pg_config WHERE name = 'PKGLIBDIR'`,
  );
  const found = await session.run<{ library: string; extension: string }>(STEP, LIBRARIES);
  const missing: MissingLibrary[] = [];
  for (const { library, extension } of found) {
    if (!(await isInstalled(library, config?.path ?? ''))) missing.push({ database, library, extension });
  }
  return missing;
}

/** `libraryPath` is what `$libdir` stands for (PostgreSQL manual, 38.10.1). */
async function isInstalled(library: string, libraryPath: string): Promise<boolean> {
  const name = library.replace(/^\$libdir\//, '');
  const path = name.startsWith('/') ? name : join(libraryPath, name);
  for (const file of [path, `${path}.so`]) {
    const isThere = await access(file).then(
      () => true,
      () => false,
    );
    if (isThere) return true;
  }
  return false;
}

/** One reason for all that is missing, with what to install. */
export function describeMissing(missing: readonly MissingLibrary[], major: number): string {
  const items = missing.map(({ database, library, extension }) => {
    const name = PACKAGES[extension] ?? extension.replaceAll('_', '-');
    return `${library} of extension ${extension} in database ${database} (Debian: postgresql-${major}-${name})`;
  });
  return `libraries are missing on this host, install them: ${items.join('; ')}`;
}
