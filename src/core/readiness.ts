import { SingleFlight } from './single-flight.ts';

/**
 * - `ok`
 * - `off`: switched off, or not to be had on this host; all else works without it
 * - `failing`: the server cannot do what it is there for
 */
export interface PartState {
  readonly status: 'ok' | 'off' | 'failing';
  /** What is wrong and what to do; anybody may read it. */
  readonly detail?: string;
}

/** One thing that the server needs. */
export interface ReadinessPart {
  /** In snake_case: it goes over the wire. */
  readonly name: string;
  /** Looks at it; never throws, and ends within seconds. */
  look(): Promise<PartState>;
}

/** How the whole stands. */
export interface ReadinessReport {
  readonly ready: boolean;
  /** The parts that are not `ok`. */
  readonly parts: Readonly<Record<string, PartState>>;
  /** Those of all parts. */
  readonly names: readonly string[];
}

/** Tells whether the server can do its work. Anybody may ask, so those who ask at once share one look. */
export class Readiness {
  readonly #parts: readonly ReadinessPart[];
  readonly #looking = new SingleFlight<'all', ReadinessReport>();

  constructor(parts: readonly ReadinessPart[]) {
    this.#parts = parts;
  }

  check(): Promise<ReadinessReport> {
    return this.#looking.run('all', () => this.#look());
  }

  async #look(): Promise<ReadinessReport> {
    const looks = this.#parts.map(async (part) => [part.name, await part.look()] as const);
    const notOk = (await Promise.all(looks)).filter(([, { status }]) => status !== 'ok');
    return {
      ready: notOk.every(([, { status }]) => status !== 'failing'),
      parts: Object.fromEntries(notOk),
      names: this.#parts.map(({ name }) => name),
    };
  }
}
