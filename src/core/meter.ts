/** What somebody wants to know who watches the server: told as it happens. Durations are in milliseconds. Never throws. */
export interface Meter {
  /** An instance was made for a user; `warm`: it had been made in advance. */
  instanceCreated(durationMs: number, warm: boolean): void;
  /** None was; `reason` is the id of the error. */
  instanceNotCreated(reason: string): void;
  /** The Postgres of an instance had ended, and runs again. */
  instanceRestarted(): void;
  /** A preparation of an image has ended. */
  preparationEnded(durationMs: number, outcome: 'ready' | 'failed'): void;
  /** A request was answered; `route` is the pattern of its path, undefined for one that there is not. */
  requestAnswered(
    durationMs: number,
    request: { method: string; route: string | undefined; status: number },
  ): void;
}
