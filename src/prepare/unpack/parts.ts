/** What a data directory consists of. All else at its top is of the cluster's owner: configuration, logs, keys, dumps, cores. */
export const PARTS: ReadonlySet<string> = new Set([
  'PG_VERSION',
  'backup_label',
  'base',
  'global',
  'pg_commit_ts',
  'pg_dynshmem',
  'pg_logical',
  'pg_multixact',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat',
  'pg_stat_tmp',
  'pg_subtrans',
  'pg_tblspc',
  'pg_twophase',
  'pg_wal',
  'pg_xact',
]);

/** Directories whose content Postgres makes again: of no use in a copy, and some of it would act at start or leak. */
export const EMPTIED: readonly string[] = [
  'pg_dynshmem',
  'pg_logical/mappings',
  'pg_logical/snapshots',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat',
  'pg_stat_tmp',
  'pg_wal/archive_status',
];

/** Further directories that Postgres expects and some copies leave out. */
export const REQUIRED: readonly string[] = ['pg_commit_ts', 'pg_subtrans', 'pg_tblspc', 'pg_twophase'];

/** Whether an entry at the top of a data directory is part of it. */
export function isPart(name: string): boolean {
  return PARTS.has(name);
}
