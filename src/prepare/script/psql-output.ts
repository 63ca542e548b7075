import { readLines } from '../lines.ts';
import { isWantOfSpace } from '../space.ts';

/** An error of the server, from wherever it comes, also when the script has switched ON_ERROR_STOP off or runs another file. */
const SERVER_ERROR = /(?:ERROR|FATAL|PANIC): {2}/;
/** What psql itself could not do, such as a meta-command. */
const PSQL_ERROR = /psql:.*:[0-9]+: error: |psql: error: /;

/** What matters of the messages of a psql. */
export interface PsqlOutput {
  /** The first line with an error of the server. */
  readonly serverError: string | undefined;
  /** The first line with an error of psql. */
  readonly psqlError: string | undefined;
  /** Whether the line of the end was printed. */
  readonly hasEnded: boolean;
  readonly lacksSpace: boolean;
}

/** Reads the stderr of a psql to its end; `end` is what it prints last. */
export async function readPsqlOutput(stderr: AsyncIterable<unknown>, end: string): Promise<PsqlOutput> {
  let [hasEnded, lacksSpace] = [false, false];
  let serverError: string | undefined;
  let psqlError: string | undefined;
  for await (const line of readLines(stderr)) {
    if (line.includes(end)) hasEnded = true;
    if (isWantOfSpace(line)) lacksSpace = true;
    if (SERVER_ERROR.test(line)) serverError ??= line;
    if (PSQL_ERROR.test(line)) psqlError ??= line;
  }
  return { serverError, psqlError, hasEnded, lacksSpace };
}
