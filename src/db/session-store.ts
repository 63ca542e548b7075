import type { Pool } from 'pg';
import { UPLOAD_USER } from '../core/caller.ts';
import { NOBODY } from '../core/instance.ts';
import type { NewSession, OriginalGrant, OwnedSessionStore, Session, SessionStore } from '../core/session.ts';

interface SessionRow {
  id: number;
  token_hash: Buffer;
  user_email: string;
  google_refresh_token: Buffer;
  revoked_at: Date | null;
}

const COLUMNS = 'id, token_hash, user_email, google_refresh_token, revoked_at';

/** Table `sessions`, and what instances tell of their owners' grants. */
export class PgSessionStore implements SessionStore, OwnedSessionStore {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async insert({ tokenHash, userEmail, sealedGrant }: NewSession): Promise<number> {
    // Two requests may bring the same token of the original at once. A conflict returns the row only if it is updated.
    const { rows } = await this.#pool.query<{ id: number }>(
      `INSERT INTO sessions (token_hash, user_email, google_refresh_token) VALUES ($1, $2, $3)
       ON CONFLICT (token_hash) DO UPDATE SET last_used_at = now() RETURNING id`,
      [tokenHash, userEmail, sealedGrant],
    );
    if (!rows[0]) throw new Error('no session row');
    return rows[0].id;
  }

  async findByTokenHash(tokenHash: Buffer): Promise<Session | undefined> {
    const { rows } = await this.#pool.query<SessionRow>(
      `UPDATE sessions SET last_used_at = now() WHERE token_hash = $1 RETURNING ${COLUMNS}`,
      [tokenHash],
    );
    return rows[0] && toSession(rows[0]);
  }

  async listOwners(): Promise<string[]> {
    const { rows } = await this.#pool.query<{ user_email: string }>(
      `SELECT DISTINCT user_email FROM instances WHERE user_email <> ALL ($1) ORDER BY user_email`,
      [[UPLOAD_USER, NOBODY]],
    );
    return rows.map((row) => row.user_email);
  }

  async listOriginalGrants(): Promise<OriginalGrant[]> {
    const { rows } = await this.#pool.query<{ user_email: string; refresh_token: string }>(
      `SELECT DISTINCT user_email, refresh_token FROM instances
       WHERE session_id IS NULL AND user_email <> ALL ($1) AND refresh_token <> ''
       ORDER BY user_email, refresh_token`,
      [[UPLOAD_USER, NOBODY]],
    );
    return rows.map((row) => ({ userEmail: row.user_email, refreshToken: row.refresh_token }));
  }

  async assign(grant: OriginalGrant, sessionId: number): Promise<void> {
    await this.#pool.query(
      `UPDATE instances SET session_id = $3
       WHERE user_email = $1 AND refresh_token = $2 AND session_id IS NULL`,
      [grant.userEmail, grant.refreshToken, sessionId],
    );
  }

  async listByOwner(userEmail: string): Promise<Session[]> {
    const { rows } = await this.#pool.query<SessionRow>(
      `SELECT ${COLUMNS} FROM sessions
       WHERE user_email = $1 OR id IN (SELECT session_id FROM instances WHERE user_email = $1) ORDER BY id`,
      [userEmail],
    );
    return rows.map(toSession);
  }

  async markRevoked(ids: readonly number[], since: Date): Promise<void> {
    await this.#pool.query('UPDATE sessions SET revoked_at = $2 WHERE id = ANY ($1) AND revoked_at IS NULL', [
      ids,
      since,
    ]);
  }

  async clearRevoked(ids: readonly number[]): Promise<void> {
    await this.#pool.query('UPDATE sessions SET revoked_at = NULL WHERE id = ANY ($1)', [ids]);
  }

  async replace(ids: readonly number[], heir: number): Promise<void> {
    await this.#pool.query(
      `WITH moved AS (UPDATE instances SET session_id = $2 WHERE session_id = ANY ($1))
       DELETE FROM sessions WHERE id = ANY ($1)`,
      [ids, heir],
    );
  }

  async deleteOf(userEmail: string, ids: readonly number[]): Promise<void> {
    await this.#pool.query(
      `DELETE FROM sessions WHERE id = ANY ($2)
       AND NOT EXISTS (SELECT FROM instances WHERE user_email = $1 OR session_id = ANY ($2))`,
      [userEmail, ids],
    );
  }

  async deleteUnusedSince(time: Date): Promise<number> {
    const { rowCount } = await this.#pool.query(
      `DELETE FROM sessions s WHERE last_used_at < $1
       AND NOT EXISTS (SELECT FROM instances i WHERE i.session_id = s.id OR i.user_email = s.user_email)`,
      [time],
    );
    return rowCount ?? 0;
  }
}

function toSession(row: SessionRow): Session {
  return {
    id: row.id,
    tokenHash: row.token_hash,
    userEmail: row.user_email,
    sealedGrant: row.google_refresh_token,
    revokedAt: row.revoked_at ?? undefined,
  };
}
