import { join } from 'node:path';
import type { Api } from '../spec/e2e/support/api.ts';
import { run } from '../spec/e2e/support/command.ts';
import { type Installation, UPLOAD_USER } from '../spec/e2e/support/installation.ts';
import { ANONYMISE, Source } from '../spec/e2e/support/source.ts';

/** Rows of some 210 bytes, indexes included, that make about 100 MB. */
const ROWS_PER_100_MB = 480_000;

/** Rows that one statement makes. */
const CHUNK = 500_000;

/** Anonymises every row of the sample. */
export const SCRIPT = `${ANONYMISE}UPDATE visits SET visitor = 'visitor-' || id || '@anonymous.invalid';\n`;

/** Backups of a given size, and images made of them. */
export class Backup {
  readonly #installation: Installation;
  readonly #api: Api;

  constructor(installation: Installation, api: Api) {
    this.#installation = installation;
    this.#api = api;
  }

  /** The archive of a size in MB. */
  getArchive(mb: number): string {
    return join(this.#installation.data, `bench-${mb}.tar`);
  }

  /** Makes the archive of a data directory of about that size in MB: a plain tar on the volume of the images. */
  async create(mb: number): Promise<void> {
    const source = await Source.create(this.#installation, `bench-${mb}`, this.#installation.debianMajor);
    await source.cluster.query('shop', TABLE);
    const rows = Math.round((mb / 100) * ROWS_PER_100_MB);
    for (let first = 1; first <= rows; first += CHUNK) {
      const last = Math.min(rows, first + CHUNK - 1);
      await source.cluster.query('shop', fill(first, last));
    }
    await source.cluster.query('shop', 'CREATE INDEX ON visits (visitor); VACUUM ANALYZE visits;');
    await source.cluster.stop();
    await run(['tar', '-c', '-f', this.getArchive(mb), '-C', source.cluster.data, '.']);
    await run(['rm', '-r', source.cluster.dir]);
  }

  /** Makes an image record with the archive as its upload. */
  async upload(mb: number): Promise<number> {
    const { id } = await this.#api.createImage(SCRIPT);
    const target = join(this.#installation.data, 'image_uploads', String(id), 'backup.tar');
    await this.copy(mb, target);
    await run(['chown', `${UPLOAD_USER}:`, target]);
    return id;
  }

  /** Makes a ready image of the archive; resolves to its id. */
  async finalise(mb: number): Promise<number> {
    const id = await this.upload(mb);
    await this.prepare(id);
    return id;
  }

  /** Has an upload made ready. */
  async prepare(imageId: number): Promise<void> {
    const answer = await this.#api.finaliseImage(imageId);
    if (answer.status !== 200) throw new Error(`image ${imageId} cannot be finalised: ${answer.text}`);
  }

  /** A copy of the archive as an upload is one: on the disk, and not in memory already. */
  async copy(mb: number, target: string): Promise<void> {
    await run(['cp', '--reflink=always', this.getArchive(mb), target]);
  }
}

const TABLE = `CREATE TABLE visits (id int PRIMARY KEY, visitor text NOT NULL, page text NOT NULL, at timestamptz NOT NULL);`;

function fill(first: number, last: number): string {
  return `INSERT INTO visits SELECT i, 'person' || i % 60 || '@victim.example', md5(i::text) || md5(i::text),
    timestamptz '2026-01-01' + i * interval '1 second' FROM generate_series(${first}, ${last}) i;`;
}
