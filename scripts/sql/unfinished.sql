-- After the anonymisation: what it has left unfinished, at most one line of each kind. A session ends a moment after its client has;
-- one that stays would go on changing rows, and keep dead ones from the scrub (PostgreSQL manual, 25.1.2). `patience` is how
-- many seconds it may take. psql replaces no variable inside the quotes of DO.

SELECT set_config('draupnir.patience', :'patience', false) AS patience \gset
DO $$
BEGIN
  FOR moment IN 1..20 * current_setting('draupnir.patience')::int LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity
      WHERE datid IS NOT NULL AND backend_type <> 'autovacuum worker' AND pid <> pg_backend_pid());
    PERFORM pg_sleep(0.05);
  END LOOP;
END
$$;
SELECT 'session' FROM pg_stat_activity
  WHERE datid IS NOT NULL AND backend_type <> 'autovacuum worker' AND pid <> pg_backend_pid() LIMIT 1;
SELECT 'prepared' FROM pg_prepared_xacts LIMIT 1;
