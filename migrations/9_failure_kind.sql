-- Up Migration

-- What kind of error failed the last preparation, so that a client that did not wait is answered as one that did.
ALTER TABLE images ADD COLUMN failure_kind text;

-- Down Migration

ALTER TABLE images DROP COLUMN failure_kind;
