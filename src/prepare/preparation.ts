import { execa } from 'execa';
import type { PreparationRequest } from '../core/preparation-request.ts';
import { PreparationFailure } from './failure.ts';
import { removeFutureSegments } from './future-segments.ts';
import { KnownFiles } from './known-files.ts';
import { createAdmin } from './postgres/admin.ts';
import { writeConfiguration } from './postgres/configuration.ts';
import { type Database, listDatabases, withDatabase, withSession } from './postgres/databases.ts';
import { PreparationServer } from './postgres/server.ts';
import type { Session } from './postgres/session.ts';
import { checkSessionsEnded } from './script/check-sessions.ts';
import { checkProgramsEnded } from './script/programs.ts';
import { runScript } from './script/run-script.ts';
import { verify } from './script/verify.ts';
import { measureSpace } from './space.ts';
import { restoreBuiltin } from './sql/builtin.ts';
import { checkDamage } from './sql/damage.ts';
import { forgetValues } from './sql/forget.ts';
import { ensureLanguage } from './sql/language.ts';
import { describeMissing, listMissingLibraries, type MissingLibrary } from './sql/libraries.ts';
import { handOver } from './sql/own.ts';
import { prepareDatabase } from './sql/prepare.ts';
import { refreshViews } from './sql/refresh.ts';
import { prepareRoles, restrictRoles } from './sql/roles.ts';
import { analyseDatabase, endScrub, hasUnnameableTables, listFiles, scrubDatabase } from './sql/scrub.ts';
import { sweep } from './sweep.ts';
import { measureWalSegment } from './unpack/pg-control.ts';
import { unpackUpload } from './unpack/unpack-upload.ts';
import { type Cluster, createCluster, type Workplace } from './workplace.ts';

/** How long what a script has started may take to end, in milliseconds. */
const PATIENCE_MS = 10_000;

/** The work of a preparation, in the order of its methods. Each throws PreparationFailure or NoSpace when an image cannot be made. */
export class Preparation {
  readonly #workplace: Workplace;
  readonly #request: PreparationRequest;
  #cluster: Cluster | undefined;
  #server: PreparationServer | undefined;
  #isVerified = false;
  #databases: Database[] = [];
  #known: KnownFiles | undefined;
  #flush: Promise<unknown> = Promise.resolve();

  constructor(workplace: Workplace, request: PreparationRequest) {
    this.#workplace = workplace;
    this.#request = request;
  }

  async unpack(): Promise<void> {
    const { work, postgresRoot, maxFiles } = this.#workplace;
    const spaceBytes = await measureSpace(work);
    const { major, isVerified } = await unpackUpload(work, postgresRoot, { spaceBytes, maxFiles });
    this.#isVerified = isVerified;
    this.#cluster = createCluster(this.#workplace, major, await measureWalSegment(work));
  }

  async recover(): Promise<void> {
    const cluster = this.#getCluster();
    await writeConfiguration(cluster);
    this.#server = new PreparationServer(cluster);
    await this.#server.start();
  }

  async createAdmin(): Promise<void> {
    await createAdmin(this.#getCluster(), this.#getServer());
    await withSession(this.#getCluster(), 'template1', true, (session) =>
      removeFutureSegments(session, this.#workplace.work),
    );
  }

  async prepareDatabases(): Promise<void> {
    await this.#listDatabases();
    const missing: MissingLibrary[] = [];
    await this.#inEach(true, async (session) => {
      await checkDamage(session, this.#isVerified);
      await prepareDatabase(session);
      missing.push(...(await listMissingLibraries(session)));
    });
    // Those of all databases at once, before the script runs.
    if (missing.length > 0) throw new PreparationFailure(describeMissing(missing, this.#getCluster().major));
    await withSession(this.#getCluster(), 'template1', true, prepareRoles);
  }

  async anonymise(): Promise<void> {
    await runScript(this.#getCluster(), this.#request.anonymisation);
    await checkProgramsEnded(this.#getServer().pid, PATIENCE_MS);
    await checkSessionsEnded(this.#getCluster(), PATIENCE_MS);
  }

  async refreshViews(): Promise<void> {
    await this.#listDatabases();
    // The script may have dropped it, or made databases without it.
    await this.#inEach(true, ensureLanguage);
    await this.#inEach(false, refreshViews);
  }

  async verify(): Promise<void> {
    await verify(this.#getCluster(), this.#request.verification);
  }

  async own(): Promise<void> {
    await this.#inEach(true, async (session) => {
      await restoreBuiltin(session);
      await handOver(session);
      await forgetValues(session);
    });
    await withSession(this.#getCluster(), 'postgres', true, restrictRoles);
  }

  /** The largest database beside all others, which for the most part is as long as it takes. */
  async scrub(): Promise<void> {
    const { scrub } = this.#request;
    const [largest, ...others] = this.#databases as [Database, ...Database[]];
    const inDatabase = (database: Database, withShared: boolean) =>
      this.#in(database, false, (session) => scrubDatabase(session, scrub, withShared));
    if (others.length === 0) return inDatabase(largest, true);
    const scrubOthers = async () => {
      for (const database of others) {
        await inDatabase(database, true);
        await this.#in(database, false, analyseDatabase);
      }
    };
    // All at once, as it must be where not every table can be named, takes the shared catalogues as well.
    if (await this.#in(largest, true, hasUnnameableTables)) {
      await inDatabase(largest, true);
      return scrubOthers();
    }
    const results = await Promise.allSettled([inDatabase(largest, false), scrubOthers()]);
    for (const result of results) if (result.status === 'rejected') throw result.reason as Error;
  }

  /** Nearly all of what the snapshot would wait for is there: it is written while the statistics are made. */
  async analyse(): Promise<void> {
    const [largest] = this.#databases as [Database];
    this.#flush = execa('sync', ['-f', '--', this.#workplace.work]);
    this.#flush.catch(() => undefined);
    await this.#in(largest, false, analyseDatabase);
  }

  async endScrub(): Promise<void> {
    const paths: string[] = [];
    await this.#inEach(true, async (session) => {
      for (const path of await listFiles(session)) paths.push(path);
    });
    this.#known = new KnownFiles(paths);
    await withSession(this.#getCluster(), 'postgres', true, endScrub);
  }

  async stop(): Promise<void> {
    await this.#getServer().stop();
    await this.#flush;
    // What a program of the script has left running must not change the snapshot. All processes of our uid but this one are meant
    // (kill(2), pid -1).
    try {
      process.kill(-1, 'SIGKILL');
    } catch {
      // There are none.
    }
  }

  async sweep(): Promise<void> {
    if (!this.#known) throw new Error('the files are not known yet');
    await sweep(this.#workplace.work, this.#known);
  }

  /** Whether Postgres has logged that there is no space. */
  async lacksSpace(): Promise<boolean> {
    return (await this.#server?.lacksSpace()) ?? false;
  }

  async #listDatabases(): Promise<void> {
    this.#databases = await listDatabases(this.#getCluster());
  }

  async #inEach(isOwn: boolean, work: (session: Session) => Promise<void>): Promise<void> {
    for (const database of this.#databases) await this.#in(database, isOwn, work);
  }

  #in<T>(database: Database, isOwn: boolean, work: (session: Session) => Promise<T>): Promise<T> {
    return withDatabase(this.#getCluster(), database, isOwn, work);
  }

  #getCluster(): Cluster {
    if (!this.#cluster) throw new Error('the upload is not unpacked yet');
    return this.#cluster;
  }

  #getServer(): PreparationServer {
    if (!this.#server) throw new Error('Postgres is not started yet');
    return this.#server;
  }
}
