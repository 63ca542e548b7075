import type { Pool } from 'pg';
import type { FailureKind } from '../core/errors.ts';
import type { CorrectedScripts, Image, ImageStatus, ImageStore, NewImage } from '../core/image.ts';

interface ImageRow {
  id: number;
  backed_up_at: Date;
  created_at: Date;
  updated_at: Date;
  status: ImageStatus;
  failure: string | null;
  failure_kind: FailureKind | null;
  attempts: number;
}

interface ScriptsRow {
  anon: string | null;
  verification_script: string;
}

const COLUMNS = 'id, backed_up_at, created_at, updated_at, status, failure, failure_kind, attempts';

/** Table `images`. */
export class PgImageStore implements ImageStore {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async insert(image: NewImage): Promise<Image> {
    const { rows } = await this.#pool.query<ImageRow>(
      `INSERT INTO images (backed_up_at, anon, verification_script, status, created_at, updated_at)
       VALUES ($1, $2, $3, 'creating', now(), now())
       RETURNING ${COLUMNS}`,
      [image.backedUpAt, image.anonymisationScript, image.verificationScript ?? ''],
    );
    return toImage(rows);
  }

  async find(id: number): Promise<Image | undefined> {
    const { rows } = await this.#pool.query<ImageRow>(`SELECT ${COLUMNS} FROM images WHERE id = $1`, [id]);
    return rows[0] && toImage(rows);
  }

  async list(): Promise<Image[]> {
    const { rows } = await this.#pool.query<ImageRow>(`SELECT ${COLUMNS} FROM images ORDER BY id`);
    return rows.map((row) => toImage([row]));
  }

  async getAnonymisationScript(id: number): Promise<string> {
    return (await this.#getScripts(id)).anon ?? '';
  }

  async getVerificationScript(id: number): Promise<string> {
    return (await this.#getScripts(id)).verification_script;
  }

  async replaceScripts(
    id: number,
    from: readonly ImageStatus[],
    { anonymisationScript, verificationScript }: CorrectedScripts,
  ): Promise<Image | undefined> {
    const { rows } = await this.#pool.query<ImageRow>(
      `UPDATE images SET anon = coalesce($3, anon), verification_script = coalesce($4, verification_script), updated_at = now()
       WHERE id = $1 AND status = ANY ($2) RETURNING ${COLUMNS}`,
      [id, from, anonymisationScript, verificationScript],
    );
    return rows[0] && toImage(rows);
  }

  async transition(
    id: number,
    from: readonly ImageStatus[],
    to: ImageStatus,
    failure?: string,
    failureKind?: FailureKind,
  ): Promise<Image | undefined> {
    const { rows } = await this.#pool.query<ImageRow>(
      `UPDATE images SET status = $3, failure = $4, failure_kind = $5, ready = ($3 = 'ready'), updated_at = now(),
         attempts = CASE WHEN $3 <> 'finalising' THEN attempts WHEN status = 'finalising' THEN attempts + 1 ELSE 1 END
       WHERE id = $1 AND status = ANY ($2) RETURNING ${COLUMNS}`,
      [id, from, to, failure ?? null, failureKind ?? null],
    );
    return rows[0] && toImage(rows);
  }

  async delete(id: number): Promise<void> {
    await this.#pool.query('DELETE FROM images WHERE id = $1', [id]);
  }

  async #getScripts(id: number): Promise<ScriptsRow> {
    const sql = 'SELECT anon, verification_script FROM images WHERE id = $1';
    const { rows } = await this.#pool.query<ScriptsRow>(sql, [id]);
    const row = rows[0];
    if (!row) throw new Error(`image ${id} has no record`);
    return row;
  }
}

function toImage([row]: ImageRow[]): Image {
  if (!row) throw new Error('no image row');
  return {
    id: row.id,
    backedUpAt: row.backed_up_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    status: row.status,
    failure: row.failure ?? undefined,
    failureKind: row.failure_kind ?? undefined,
    attempts: row.attempts,
  };
}
