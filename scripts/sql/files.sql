-- Each database: the files that belong to it, without the numbers of their segments and forks.

SELECT pg_relation_filepath(oid) FROM pg_class WHERE pg_relation_filepath(oid) IS NOT NULL;
