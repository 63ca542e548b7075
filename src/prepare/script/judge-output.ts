import { PreparationFailure } from '../failure.ts';
import { formatState } from '../sql-state.ts';
import { findRestriction } from './restriction.ts';
import type { PsqlOutput } from './psql-output.ts';

/** A script as it was run. */
export interface RunScript {
  readonly text: string;
  /** The file that psql read: the script, and our check of its end. */
  readonly file: string;
  /** Ends of line in the script. */
  readonly lines: number;
}

/** DISCARD ALL inside a transaction (PostgreSQL manual, appendix A: active_sql_transaction). */
const ACTIVE_TRANSACTION = '25001';

const UNFINISHED =
  'the anonymisation script did not run to its end: look for \\q, COPY data without \\. or \\if without \\endif';

/** Throws PreparationFailure unless the script ran to its very end without an error. */
export function judgeOutput(script: RunScript, output: PsqlOutput, exitCode: number | null): void {
  const { serverError, psqlError, hasEnded } = output;
  if (serverError !== undefined) throw describeServerError(script, serverError);
  if (psqlError !== undefined) throw describePsqlError(script, psqlError);
  if (exitCode !== 0) throw new PreparationFailure('the anonymisation script failed: its session was cut');
  if (!hasEnded) throw describeUnfinished(script);
}

/** psql names the line on which the failing statement ends. */
function describeServerError({ text, file, lines }: RunScript, error: string): PreparationFailure {
  const [line, message] = findPlace(file, error, /: (?:ERROR|FATAL|PANIC): +(.*)$/);
  if (line === undefined) {
    return new PreparationFailure('the anonymisation script failed in a statement that is not its own text');
  }
  if (line > lines + 2 && message.includes(ACTIVE_TRANSACTION)) {
    return new PreparationFailure('the anonymisation script leaves a transaction open: end it with COMMIT');
  }
  // With another verbosity than ours the text of the message stands here, and it could quote a row.
  const state = /^[0-9A-Z]{5}$/.test(message) && !/verbosity/i.test(text) ? message : undefined;
  return new PreparationFailure(
    `the anonymisation script failed in the statement that ends on line ${Math.min(line, lines + 1)}${formatState(state)}`,
  );
}

function describeUnfinished({ text, lines }: RunScript): PreparationFailure {
  const restricted = findRestriction(text, lines + 1);
  if (restricted === undefined) return new PreparationFailure(UNFINISHED);
  return new PreparationFailure(
    `the anonymisation script did not run to its end: the \\restrict on line ${restricted} has no \\unrestrict`,
  );
}

function describePsqlError(script: RunScript, error: string): PreparationFailure {
  const { text, file, lines } = script;
  const [line] = findPlace(file, error, /: error/);
  if (line === undefined) {
    return new PreparationFailure(
      'the anonymisation script failed: psql could not carry out a line that is not its own text',
    );
  }
  // Beyond the script psql can only complain that it has not ended.
  if (line > lines + 1) return describeUnfinished(script);
  const restricted = findRestriction(text, line - 1);
  if (restricted !== undefined) {
    return new PreparationFailure(
      `the anonymisation script failed at line ${line}: psql carries out no command that begins with \\ between \\restrict, on line ${restricted}, and \\unrestrict`,
    );
  }
  return new PreparationFailure(
    `the anonymisation script failed at line ${line}: psql could not carry out this line`,
  );
}

/** The line of the file that an error names, and what stands behind it. */
function findPlace(file: string, error: string, rest: RegExp): [line: number | undefined, message: string] {
  const start = `psql:${file}:`;
  const at = error.indexOf(start);
  if (at < 0) return [undefined, ''];
  const found = new RegExp(`^([0-9]+)${rest.source}`).exec(error.slice(at + start.length));
  return found ? [Number(found[1]), found[2] ?? ''] : [undefined, ''];
}
