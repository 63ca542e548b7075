/** What roles and databases of the source may have set for their sessions, and what it must be instead. */
const OVERRIDDEN = {
  client_min_messages: 'warning',
  lc_messages: 'C',
  role: 'none',
  session_preload_libraries: '',
  local_preload_libraries: '',
  default_transaction_read_only: 'off',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  zero_damaged_pages: 'off',
  ignore_checksum_failure: 'off',
  session_replication_role: 'origin',
};

/** For our own statements: they name functions and operators of Postgres, and a lock that is never given up is an error. */
const OWN = { search_path: 'pg_catalog', lock_timeout: '60s' };

/**
 * The options of a session of a preparation: those of a connection come before those of its role and database (PostgreSQL manual,
 * 20.1.3). Code of the source may rely on the search path that the source has set; our own statements must not.
 */
export function formatSessionOptions(major: number, isOwn: boolean): string {
  const options = {
    ...OVERRIDDEN,
    ...(major >= 14 && { idle_session_timeout: '0' }),
    // Triggers that fire when a client connects would come before us.
    ...(major >= 17 && { transaction_timeout: '0', event_triggers: 'off' }),
    ...(isOwn && OWN),
  };
  return Object.entries(options)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
}
