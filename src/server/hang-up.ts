/**
 * What SIGHUP does, which ends a process that does not expect it. Before there is an action, signals are remembered:
 * one that arrives during the start runs the action once, as soon as it is given.
 */
export class HangUpAction implements Disposable {
  #action: (() => void) | undefined;
  #isPending = false;
  readonly #listener = (): void => {
    if (this.#action) this.#action();
    else this.#isPending = true;
  };

  constructor() {
    process.on('SIGHUP', this.#listener);
  }

  /** Gives the action, which is run at each signal from now on. */
  set(action: () => void): void {
    this.#action = action;
    if (this.#isPending) action();
    this.#isPending = false;
  }

  [Symbol.dispose](): void {
    process.off('SIGHUP', this.#listener);
  }
}
