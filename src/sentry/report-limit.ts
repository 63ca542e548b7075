const WINDOW_MS = 60_000;

/** Lets one report of a kind pass per minute and counts the others: an outage must not flood the service. */
export class ReportLimit {
  readonly #now: () => number;
  readonly #kinds = new Map<string, { since: number; suppressed: number }>();

  /** `now` in milliseconds. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** How many of this kind were suppressed since the last report; undefined when this one is as well. */
  admit(kind: string): number | undefined {
    const now = this.#now();
    const last = this.#kinds.get(kind);
    if (last && now - last.since < WINDOW_MS) {
      last.suppressed++;
      return undefined;
    }
    this.#kinds.set(kind, { since: now, suppressed: 0 });
    return last?.suppressed ?? 0;
  }
}
