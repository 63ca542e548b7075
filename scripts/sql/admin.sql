UPDATE pg_authid SET rolname = 'draupnir-admin-' || oid WHERE rolname = 'draupnir-admin';

CREATE ROLE "draupnir-admin" SUPERUSER LOGIN;

UPDATE pg_database SET datallowconn = true, datconnlimit = -1
  WHERE datconnlimit <> -2 AND (NOT datallowconn OR datconnlimit <> -1);

