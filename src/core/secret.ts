/** Node's own hook for `util.inspect` and `console.log`, as a registered symbol, so that core needs no import. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

const REDACTED = '[secret]';

/**
 * A value that must not reach a log, an error message or an answer by accident. Only `reveal()` opens it; text
 * conversion, JSON, `util.inspect`, spreading and structured cloning show nothing of it.
 */
export class Secret<T extends string | Buffer = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself. Call it where it is used, never where it is passed on. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [INSPECT](): string {
    return REDACTED;
  }
}
