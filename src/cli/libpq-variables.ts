/**
 * Variables of libpq, 13 to 18 (PostgreSQL documentation, "Environment Variables" of libpq), that could send a
 * connection to another server or make it fail, and that `draupnir env` does not set itself.
 *
 * Not among them, since they are the user's preferences and change neither server nor credentials: PGAPPNAME,
 * PGCLIENTENCODING, PGDATESTYLE, PGGEQO, PGTZ, and PGCONNECT_TIMEOUT, which only bounds the wait. Without effect on
 * an instance: PGSYSCONFDIR (read together with PGSERVICE alone), PGLOCALEDIR, and PGAUTHTYPE and PGTTY of 13.
 */
export const UNSET_VARIABLES = [
  'PGSERVICE',
  'PGSERVICEFILE',
  'PGHOSTADDR',
  'PGOPTIONS',
  'PGPASSFILE',
  'PGREQUIREAUTH',
  'PGREQUIREPEER',
  'PGREQUIRESSL',
  'PGCHANNELBINDING',
  'PGSSLNEGOTIATION',
  'PGSSLCOMPRESSION',
  'PGSSLSNI',
  'PGSSLCERTMODE',
  'PGSSLCRL',
  'PGSSLCRLDIR',
  'PGSSLMINPROTOCOLVERSION',
  'PGSSLMAXPROTOCOLVERSION',
  'PGMINPROTOCOLVERSION',
  'PGMAXPROTOCOLVERSION',
  'PGGSSENCMODE',
  'PGGSSLIB',
  'PGGSSDELEGATION',
  'PGKRBSRVNAME',
  'PGTARGETSESSIONATTRS',
  'PGLOADBALANCEHOSTS',
  'PGOAUTHDEBUG',
] as const;
