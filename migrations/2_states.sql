-- Up Migration

-- States of images and instances, so that a server that starts knows what its predecessor left unfinished.
-- `ready` stays true to its old meaning for those who read it.

ALTER TABLE images
  ADD COLUMN status text NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'finalising', 'ready', 'failed', 'destroying')),
  ADD COLUMN failure text;
UPDATE images SET status = 'ready' WHERE ready;

-- Rows that exist belong to instances that have an owner. 8_shared_ports.sql makes ports unique.
ALTER TABLE instances
  ADD COLUMN status text NOT NULL DEFAULT 'ready' CHECK (status IN ('creating', 'ready', 'destroying')),
  ADD COLUMN credentials bytea;
CREATE INDEX instances_user_email_idx ON instances (user_email);
CREATE INDEX instances_image_id_idx ON instances (image_id);

-- Down Migration

DROP INDEX instances_user_email_idx, instances_image_id_idx;
ALTER TABLE instances DROP COLUMN credentials, DROP COLUMN status;
ALTER TABLE images DROP COLUMN failure, DROP COLUMN status;
