-- Each database, last: samples of removed values live on in the planner's statistics, dead rows in heaps and indexes.

DELETE FROM pg_catalog.pg_statistic;
DELETE FROM pg_catalog.pg_statistic_ext_data;
VACUUM (FULL, FREEZE);
ANALYZE;
