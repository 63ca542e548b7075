/** How long the parts of an operation take, one after the other. */
export class Laps {
  readonly #started = performance.now();
  #last = this.#started;
  /** Milliseconds of each part, in tenths, by name. */
  readonly parts: Record<string, number> = {};

  /** Ends a part, and begins the next. */
  end(part: string): void {
    const now = performance.now();
    this.parts[part] = Math.round((now - this.#last) * 10) / 10;
    this.#last = now;
  }

  /** Milliseconds from the beginning to the end of the last part. */
  get totalMs(): number {
    return Math.round(this.#last - this.#started);
  }
}
