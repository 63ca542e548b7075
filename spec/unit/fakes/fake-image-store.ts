import type { FailureKind } from '../../../src/core/errors.ts';
import type { CorrectedScripts, Image, ImageStatus, ImageStore, NewImage } from '../../../src/core/image.ts';
import type { Steps } from './steps.ts';

const NO_FAILURE = { failure: undefined, failureKind: undefined };
const CREATED = new Date('2017-05-01T12:00:00Z');

/** Images in memory. Steps: `images.<method>`, for a transition `images.transition <state>`. */
export class FakeImageStore implements ImageStore {
  readonly rows = new Map<number, Image & { script: string; verification: string }>();
  readonly #steps: Steps;
  #lastId = 0;

  constructor(steps: Steps) {
    this.#steps = steps;
  }

  /** Puts a row there, past all rules; its id. */
  add(status: ImageStatus, script = 'SELECT 1', attempts = 0, verification = ''): number {
    const id = ++this.#lastId;
    const times = { backedUpAt: CREATED, createdAt: CREATED, updatedAt: CREATED };
    this.rows.set(id, { id, ...times, status, ...NO_FAILURE, attempts, script, verification });
    return id;
  }

  insert(image: NewImage): Promise<Image> {
    return this.#steps.run('images.insert', () => {
      const id = this.add('creating', image.anonymisationScript, 0, image.verificationScript ?? '');
      const row = { ...this.#get(id), backedUpAt: image.backedUpAt };
      this.rows.set(id, row);
      return row;
    });
  }

  find(id: number): Promise<Image | undefined> {
    return this.#steps.run('images.find', () => this.rows.get(id));
  }

  list(): Promise<Image[]> {
    return this.#steps.run('images.list', () => [...this.rows.values()]);
  }

  getAnonymisationScript(id: number): Promise<string> {
    return this.#steps.run('images.getAnonymisationScript', () => this.#get(id).script);
  }

  getVerificationScript(id: number): Promise<string> {
    return this.#steps.run('images.getVerificationScript', () => this.#get(id).verification);
  }

  replaceScripts(
    id: number,
    from: readonly ImageStatus[],
    scripts: CorrectedScripts,
  ): Promise<Image | undefined> {
    return this.#steps.run('images.replaceScripts', () => {
      const row = this.rows.get(id);
      if (!row || !from.includes(row.status)) return undefined;
      const {
        anonymisationScript: script = row.script,
        verificationScript: verification = row.verification,
      } = scripts;
      const changed = { ...row, script, verification };
      this.rows.set(id, changed);
      return changed;
    });
  }

  transition(
    id: number,
    from: readonly ImageStatus[],
    to: ImageStatus,
    failure?: string,
    failureKind?: FailureKind,
  ): Promise<Image | undefined> {
    return this.#steps.run(`images.transition ${to}`, () => {
      const row = this.rows.get(id);
      if (!row || !from.includes(row.status)) return undefined;
      const again = row.status === 'finalising' ? row.attempts + 1 : 1;
      const attempts = to === 'finalising' ? again : row.attempts;
      const changed = { ...row, status: to, failure, failureKind, attempts };
      this.rows.set(id, changed);
      return changed;
    });
  }

  delete(id: number): Promise<void> {
    return this.#steps.run('images.delete', () => void this.rows.delete(id));
  }

  #get(id: number): Image & { script: string; verification: string } {
    const row = this.rows.get(id);
    if (!row) throw new Error(`image ${id} has no record`);
    return row;
  }
}
