/**
 * A reproducible source of random numbers (mulberry32). Every object of the sample has a sequence of its own, made from
 * what it is (`stream`) and its id, so that it comes out the same wherever and in whatever order it is asked for.
 */
export class Random {
  #state: number;

  constructor(stream: number, id: number) {
    this.#state = Math.imul(id, 0x9e3779b1) ^ Math.imul(stream, 0x85ebca6b);
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  /** One item of a list. Throws when the list is empty. */
  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  /** The pattern with a digit for every `#` and a capital letter for every `@`. */
  fill(pattern: string): string {
    let text = '';
    for (const char of pattern) {
      if (char === '#') text += String(this.below(10));
      else if (char === '@') text += String.fromCharCode(65 + this.below(26));
      else text += char;
    }
    return text;
  }
}
