/** Every database has more relations of Postgres's own than this. */
const FEWEST_RELATIONS = 200;

/** A relation's path (PostgreSQL manual, 73.1, "Database File Layout"). */
const RELATION = /^(base\/[0-9]+|global)\/[0-9]+$/;
/** A segment or a fork of one. */
const FILE = /^((?:base\/[0-9]+|global)\/[0-9]+)(?:_(?:fsm|vm|init))?(?:\.[0-9]+)?$/;
/** What Postgres keeps beside the relations of a database. */
const OF_DATABASE = /^(base\/[0-9]+)\/(?:PG_VERSION|pg_filenode\.map)$/;
const OF_CLUSTER = new Set(['global/pg_control', 'global/pg_filenode.map']);

/** The files that Postgres knows, by the paths of their relations below the data directory. */
export class KnownFiles {
  readonly #relations = new Set<string>();
  readonly #databases = new Set<string>();

  /** Throws when the paths cannot be those of a whole cluster. */
  constructor(relations: Iterable<string>) {
    for (const path of relations) {
      const [, folder] = RELATION.exec(path) ?? [];
      if (folder === undefined) continue;
      this.#relations.add(path);
      this.#databases.add(folder);
    }
    if (this.#relations.size < FEWEST_RELATIONS || !this.#databases.has('global')) {
      throw new Error('the list of the relations is not complete');
    }
  }

  /** Whether a path below the data directory is part of a relation, or something that Postgres keeps beside them. */
  has(path: string): boolean {
    if (OF_CLUSTER.has(path)) return true;
    const [, database] = OF_DATABASE.exec(path) ?? [];
    if (database !== undefined) return this.#databases.has(database);
    const [, relation] = FILE.exec(path) ?? [];
    return relation !== undefined && this.#relations.has(relation);
  }
}
