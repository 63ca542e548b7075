-- Up Migration

-- Draupnir 5.3 picked ports without a lock: two of its rows may have the same one, and only one of their
-- servers can listen on it. Both rows keep the port. The first counts as its holder until the server has
-- asked which of them answers.
ALTER TABLE instances
  -- Made by 2_states.sql in previews of 5.4.0.
  DROP CONSTRAINT IF EXISTS instances_port_key,
  ADD COLUMN port_taken boolean NOT NULL DEFAULT false;
UPDATE instances SET port_taken = true
  WHERE EXISTS (SELECT FROM instances other WHERE other.port = instances.port AND other.id < instances.id);
CREATE UNIQUE INDEX instances_port_key ON instances (port) WHERE NOT port_taken;

-- Down Migration

-- Fails while two rows share a port: destroy one of the instances first.
DROP INDEX instances_port_key;
ALTER TABLE instances DROP COLUMN port_taken, ADD CONSTRAINT instances_port_key UNIQUE (port);
