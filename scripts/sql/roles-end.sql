-- The end of the preparation: the owner of an instance is no superuser and cannot become one, and nobody of the source is
-- one or can log in.

ALTER ROLE draupnir NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS LOGIN INHERIT CREATEDB CONNECTION LIMIT -1;

-- Not by ALTER ROLE, which refuses names that begin with pg_.
UPDATE pg_authid SET rolsuper = false, rolreplication = false, rolcanlogin = false
  WHERE oid <> 10 AND rolname NOT IN ('draupnir', 'draupnir-admin') AND (rolsuper OR rolreplication OR rolcanlogin);
UPDATE pg_authid SET rolpassword = NULL, rolvaliduntil = NULL WHERE rolpassword IS NOT NULL;

-- It owns everything and needs nobody's privileges; some roles may run programs and write files.
SELECT current_setting('server_version_num')::int >= 160000 AS has_grantors,
  current_setting('server_version_num')::int >= 150000 AS has_parameters \gset
\if :has_grantors
SELECT format('REVOKE %I FROM draupnir GRANTED BY %I CASCADE', granted.rolname, grantor.rolname)
  FROM pg_auth_members JOIN pg_authid granted ON granted.oid = roleid JOIN pg_authid grantor ON grantor.oid = grantor
  WHERE member = 'draupnir'::regrole \gexec
\else
SELECT format('REVOKE %I FROM draupnir', rolname) FROM pg_auth_members JOIN pg_authid ON pg_authid.oid = roleid
  WHERE member = 'draupnir'::regrole \gexec
\endif
-- Fails by a division by zero when a membership is left.
SELECT 1 / (count(*) = 0)::int FROM pg_auth_members WHERE member = 'draupnir'::regrole;

-- Who may set what, ALTER SYSTEM included.
\if :has_parameters
DELETE FROM pg_shdepend WHERE classid = 'pg_parameter_acl'::regclass;
DELETE FROM pg_parameter_acl;
\endif
