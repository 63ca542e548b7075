/** What Postgres logs when it cannot recover a backup, and what can be done about it. */
const HINTS: readonly (readonly [reason: RegExp, hint: string])[] = [
  [
    /could not locate required checkpoint record|could not find redo location|WAL ends before end of online backup/,
    'the backup lacks write-ahead log: take it with pg_basebackup -X stream, or add the segments to pg_wal',
  ],
  [
    /WAL ends before consistent recovery point|recovery ended before configured recovery target/,
    'the copy of a standby lacks write-ahead log: add the segments to pg_wal, or use pg_basebackup -X stream',
  ],
];

/** A way out of a failed recovery, for the reason that Postgres has logged. */
export function findRecoveryHint(reason: string): string | undefined {
  return HINTS.find(([pattern]) => pattern.test(reason))?.[1];
}
