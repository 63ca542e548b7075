-- Up Migration

-- An instance whose Postgres has died waits as `stopped` for its restart, or has `failed` to come up; why is said to its owner.
ALTER TABLE instances
  DROP CONSTRAINT instances_status_check,
  ADD CONSTRAINT instances_status_check
    CHECK (status IN ('creating', 'ready', 'stopped', 'failed', 'destroying')),
  ADD COLUMN failure text;

-- An image exists once the place for its upload does. A preparation that was interrupted is taken up again, a few times.
ALTER TABLE images
  DROP CONSTRAINT images_status_check,
  ADD CONSTRAINT images_status_check
    CHECK (status IN ('creating', 'pending', 'finalising', 'ready', 'failed', 'destroying')),
  ADD COLUMN attempts int NOT NULL DEFAULT 0;

-- Down Migration

ALTER TABLE images DROP CONSTRAINT images_status_check, DROP COLUMN attempts,
  ADD CONSTRAINT images_status_check CHECK (status IN ('pending', 'finalising', 'ready', 'failed', 'destroying'));
ALTER TABLE instances DROP CONSTRAINT instances_status_check, DROP COLUMN failure,
  ADD CONSTRAINT instances_status_check CHECK (status IN ('creating', 'ready', 'destroying'));
