import type { Caller } from '../core/caller.ts';

export interface IdentityCacheOptions {
  /** How long a caller is believed without asking again, in milliseconds. */
  ttlMs: number;
  /** How long a refused token stays refused without asking again, in milliseconds. */
  refusalTtlMs?: number;
  /** Most entries; the oldest goes. */
  maxEntries?: number;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

interface Entry {
  caller: Caller | undefined;
  until: number;
}

/** Long enough for a client that repeats itself, short enough for a person who signs in again. */
const REFUSAL_TTL_MS = 5000;
const MAX_ENTRIES = 10_000;

/** Remembers who is behind a token, and for a moment that nobody is. Keys are hashes: no token is kept. */
export class IdentityCache {
  readonly #ttlMs: number;
  readonly #refusalTtlMs: number;
  readonly #maxEntries: number;
  readonly #now: () => number;
  // Apart: a flood of bad tokens must not push callers out.
  readonly #callers = new Map<string, Entry>();
  readonly #refused = new Map<string, Entry>();

  constructor(options: IdentityCacheOptions) {
    this.#ttlMs = options.ttlMs;
    this.#refusalTtlMs = options.refusalTtlMs ?? REFUSAL_TTL_MS;
    this.#maxEntries = options.maxEntries ?? MAX_ENTRIES;
    this.#now = options.now ?? Date.now;
  }

  /** What is known of a token: `{ caller }`, in which undefined means refused; undefined when nothing is. */
  find(key: string): { caller: Caller | undefined } | undefined {
    return this.#get(this.#callers, key) ?? this.#get(this.#refused, key);
  }

  accept(key: string, caller: Caller): void {
    this.#refused.delete(key);
    this.#put(this.#callers, key, { caller, until: this.#now() + this.#ttlMs });
  }

  refuse(key: string): void {
    this.#callers.delete(key);
    this.#put(this.#refused, key, { caller: undefined, until: this.#now() + this.#refusalTtlMs });
  }

  #get(entries: Map<string, Entry>, key: string): Entry | undefined {
    const entry = entries.get(key);
    if (!entry || entry.until > this.#now()) return entry;
    entries.delete(key);
    return undefined;
  }

  #put(entries: Map<string, Entry>, key: string, entry: Entry): void {
    // Taken out first, so that the order is that of the last write.
    entries.delete(key);
    entries.set(key, entry);
    for (const oldest of entries.keys()) {
      if (entries.size <= this.#maxEntries) break;
      entries.delete(oldest);
    }
  }
}
