-- Up Migration

-- Who has signed in. Of our token only the SHA-256 is kept; Google's refresh token is sealed (AES-256-GCM, bound to the hash).

CREATE TABLE sessions (
  id serial PRIMARY KEY,
  token_hash bytea NOT NULL CONSTRAINT sessions_token_hash_key UNIQUE CHECK (length(token_hash) = 32),
  user_email text NOT NULL,
  google_refresh_token bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz NOT NULL DEFAULT now(),
  -- Since when Google has been answering invalid_grant.
  revoked_at timestamptz
);
CREATE INDEX sessions_user_email_idx ON sessions (user_email);

-- The session an instance was created with. The original kept Google's token itself, in refresh_token: that stays.
ALTER TABLE instances ADD COLUMN session_id int REFERENCES sessions (id) ON DELETE SET NULL;
CREATE INDEX instances_session_id_idx ON instances (session_id);

-- Down Migration

DROP INDEX instances_session_id_idx;
ALTER TABLE instances DROP COLUMN session_id;
DROP TABLE sessions;
