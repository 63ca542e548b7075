import { printWarning } from './output.ts';

/** Signals that end a command, with their numbers (signal(7)). */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** What to report when a signal ends the command: what may have happened, and how to find out or undo it. */
export interface Consequence {
  text: string;
  hint: string;
}

/** Run in reverse order, as nested scopes end. */
const actions: (() => void)[] = [];
let handling = false;

/**
 * From now on SIGHUP, SIGINT and SIGTERM end the process with 128 and the signal's number, by `process.exit`: what was
 * registered with {@link beforeInterruption} runs before, and so do exit handlers.
 */
export function exitOnSignals(): void {
  if (handling) return;
  handling = true;
  for (const [signal, number] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      for (const action of actions.toReversed()) action();
      process.exit(128 + number);
    });
  }
}

/** Has a signal run `action` before it ends the process; returns what takes that back. */
export function beforeInterruption(action: () => void): () => void {
  exitOnSignals();
  actions.push(action);
  return () => void actions.splice(actions.indexOf(action), 1);
}

/** Does `work`, which the server may finish although the command is interrupted; `consequence` is reported then. */
export async function withConsequence<T>(consequence: Consequence, work: () => Promise<T>): Promise<T> {
  const forget = beforeInterruption(() => printWarning(consequence.text, consequence.hint));
  try {
    return await work();
  } finally {
    forget();
  }
}
