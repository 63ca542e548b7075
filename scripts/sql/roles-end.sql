-- The end of the preparation: the owner of an instance is no superuser, and nobody of the source is one or can log in.

-- A schema of the source could otherwise offer functions of its own under the names used here.
SET search_path = pg_catalog;

ALTER ROLE draupnir NOSUPERUSER;

SELECT format('ALTER ROLE %I NOSUPERUSER NOREPLICATION NOLOGIN', rolname) FROM pg_authid
  WHERE oid >= 16384 AND rolname NOT IN ('draupnir', 'draupnir-admin') \gexec
