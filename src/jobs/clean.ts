import { type AuditEntry, type AuditLog, SERVER } from '../core/audit-log.ts';
import type { Instances } from '../core/instances.ts';
import type { Log } from '../core/log.ts';
import type { GrantChecker, GrantState, OwnedSessionStore, Session } from '../core/session.ts';

export interface CleanerParts {
  sessions: OwnedSessionStore;
  grants: GrantChecker;
  instances: Pick<Instances, 'destroyAllOwnedBy'>;
  audit: AuditLog;
  log: Log;
  /** How long after its last grant was found revoked an owner's instances stay, in milliseconds. */
  revocationGraceMs: number;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** Google itself ends refresh tokens that nobody used for six months. */
const UNUSED_MS = 190 * 24 * 3_600_000;

/** Destroys the instances of people who have left: those whose every grant the identity provider refuses for good. */
export class Cleaner {
  readonly #parts: CleanerParts;
  readonly #now: () => number;

  constructor(parts: CleanerParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
  }

  /** Looks at every owner of instances once. One owner's failure does not keep the others from being looked at. */
  async run(signal: AbortSignal): Promise<void> {
    const { sessions, log } = this.#parts;
    await this.#adoptOriginalGrants();
    const withoutGrant: string[] = [];
    for (const owner of await sessions.listOwners()) {
      if (signal.aborted) return;
      try {
        if (!(await this.#look(owner, signal))) withoutGrant.push(owner);
      } catch (error) {
        log.error({ userEmail: owner, err: error }, 'cannot clean up after user');
      }
    }
    if (withoutGrant.length > 0) {
      log.info({ userEmails: withoutGrant }, 'owners without a known grant are left alone');
    }
    const removed = await sessions.deleteUnusedSince(new Date(this.#now() - UNUSED_MS));
    if (removed > 0) log.info({ removed }, 'removed sessions nobody uses');
  }

  /** Instances of the original carry their grant themselves; it becomes a session like any other. */
  async #adoptOriginalGrants(): Promise<void> {
    const { sessions, grants, log } = this.#parts;
    for (const grant of await sessions.listOriginalGrants()) {
      await sessions.assign(grant, await grants.adopt(grant));
      log.info({ userEmail: grant.userEmail }, 'adopted the grant of an instance');
    }
  }

  /** False when the owner has no grant that could be asked about. */
  async #look(owner: string, signal: AbortSignal): Promise<boolean> {
    const { sessions } = this.#parts;
    const known = await sessions.listByOwner(owner);
    if (known.length === 0) return false;

    const states = new Map<Session, GrantState>();
    for (const session of known) {
      if (signal.aborted) return true;
      states.set(session, await this.#parts.grants.check(session));
    }
    const inState = (state: GrantState): Session[] =>
      known.filter((session) => states.get(session) === state);
    const revoked = inState('revoked');
    const [valid] = inState('valid');
    if (valid) await this.#keep(inState('valid'), revoked, valid.id);
    else if (revoked.length === known.length) await this.#remove(owner, revoked);
    return true;
  }

  /** The owner is still there: old grants go, and what was marked in error is no more. */
  async #keep(valid: Session[], revoked: Session[], heir: number): Promise<void> {
    const { sessions } = this.#parts;
    const marked = valid.filter((session) => session.revokedAt);
    if (marked.length > 0) await sessions.clearRevoked(getIds(marked));
    if (revoked.length > 0) await sessions.replace(getIds(revoked), heir);
  }

  /** The owner has left: once the grace is over, the instances go, and after them the sessions. */
  async #remove(owner: string, revoked: Session[]): Promise<void> {
    const { sessions, log, revocationGraceMs } = this.#parts;
    const now = this.#now();
    await sessions.markRevoked(getIds(revoked), new Date(now));
    const since = Math.max(...revoked.map((session) => session.revokedAt?.getTime() ?? now));
    if (now - since < revocationGraceMs) {
      const until = new Date(since + revocationGraceMs);
      log.info({ userEmail: owner, until }, 'user has left; instances stay until the grace is over');
      return;
    }
    // Somebody may have signed in while the provider was being asked.
    const known = getIds(await sessions.listByOwner(owner));
    if (known.some((id) => !getIds(revoked).includes(id))) return;
    const instanceIds = await this.#destroyInstances(owner);
    await sessions.deleteOf(owner, getIds(revoked));
    log.info({ userEmail: owner, instanceIds }, 'user has left; destroyed instances');
  }

  /** Destroys what an owner had, with one entry in the audit log; nothing where that cannot be written. */
  async #destroyInstances(owner: string): Promise<number[]> {
    const { instances, audit } = this.#parts;
    await audit.requireWritable();
    const entry = { user: SERVER, means: 'cleaner', action: 'user.remove', owner } as const;
    const write = (outcome: Pick<AuditEntry, 'outcome' | 'object' | 'reason'>): Promise<void> =>
      audit.write({ ...entry, ...outcome });
    let ids: number[];
    try {
      ids = await instances.destroyAllOwnedBy(owner);
    } catch (error) {
      await write({ outcome: 'failed', reason: 'internal_server_error' });
      throw error;
    }
    await write({ outcome: 'done', object: ids.map((id) => `instances/${id}`).join(' ') });
    return ids;
  }
}

function getIds(sessions: readonly Session[]): number[] {
  return sessions.map((session) => session.id);
}
