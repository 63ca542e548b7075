-- Up Migration

-- The tables as Draupnir 5.3 left them: an existing database is adopted with every row.

CREATE TABLE IF NOT EXISTS images (
  id serial PRIMARY KEY,
  backed_up_at timestamptz NOT NULL,
  ready boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  anon text
);

CREATE TABLE IF NOT EXISTS instances (
  id serial PRIMARY KEY,
  image_id int NOT NULL REFERENCES images (id),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  port int,
  user_email text,
  refresh_token text
);

CREATE TABLE IF NOT EXISTS whitelisted_addresses (
  ip_address inet NOT NULL,
  instance_id int NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (ip_address, instance_id)
);

-- Older versions lacked some columns, or allowed less.
ALTER TABLE images ADD COLUMN IF NOT EXISTS anon text;
ALTER TABLE instances
  ADD COLUMN IF NOT EXISTS port int,
  ADD COLUMN IF NOT EXISTS user_email text,
  ADD COLUMN IF NOT EXISTS refresh_token text,
  ALTER COLUMN port DROP NOT NULL;

-- Down Migration

DROP TABLE whitelisted_addresses, instances, images;
