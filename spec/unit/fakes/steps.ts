interface Failure {
  error: unknown;
  /** Before the effect, or after it: the effect happened and its answer was lost. */
  when: 'before' | 'after';
}

/** A step that waits inside, until it is released. */
export interface Hold {
  /** Resolves when the step has begun. */
  reached: Promise<void>;
  release(): void;
}

/** What the fakes of one test are asked to do, in order. Any step can be made to fail or to wait. */
export class Steps {
  readonly taken: string[] = [];
  readonly #failures = new Map<string, Failure>();
  readonly #holds = new Map<
    string,
    { when: Failure['when']; entered: () => void; released: Promise<void> }
  >();

  /** The next time the step is taken it fails, and succeeds again after that. */
  failOnce(
    step: string,
    error: unknown = new Error(`${step} failed`),
    when: Failure['when'] = 'before',
  ): void {
    this.#failures.set(step, { error, when });
  }

  /** The next time the step is taken it waits: before its effect, or with its answer after it. */
  hold(step: string, when: Failure['when'] = 'before'): Hold {
    const reached = Promise.withResolvers<undefined>();
    const released = Promise.withResolvers<undefined>();
    this.#holds.set(step, { when, entered: () => reached.resolve(undefined), released: released.promise });
    return { reached: reached.promise, release: () => released.resolve(undefined) };
  }

  /** Takes a step; called by the fakes. */
  async run<T>(step: string, effect: () => T): Promise<T> {
    this.taken.push(step);
    const hold = this.#holds.get(step);
    this.#holds.delete(step);
    const wait = (): Promise<void> | undefined => {
      hold?.entered();
      return hold?.released;
    };
    if (hold?.when !== 'after') await wait();
    const failure = this.#failures.get(step);
    this.#failures.delete(step);
    if (failure?.when === 'before') throw failure.error;
    const result = effect();
    if (hold?.when === 'after') await wait();
    if (failure) throw failure.error;
    return result;
  }
}
