-- Up Migration

-- Queries that must return no rows once the image is anonymised; empty for none.
ALTER TABLE images ADD COLUMN verification_script text NOT NULL DEFAULT '';

-- Down Migration

ALTER TABLE images DROP COLUMN verification_script;
