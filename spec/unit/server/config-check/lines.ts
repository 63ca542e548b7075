import { formatOutcome, type Outcome } from '../../../../src/server/config-check/outcome.ts';

/** The lines of outcomes, as an operator reads them, without the name of the configuration file. */
export function formatLines(outcomes: Iterable<Outcome>): string[] {
  return [...outcomes].map((outcome) => formatOutcome(outcome, 'FILE').replace(/^FILE: /, ''));
}
