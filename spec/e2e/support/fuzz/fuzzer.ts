import fc from 'fast-check';
import { VERSION } from '../api.ts';
import { exchange, type RawResponse } from '../raw-http.ts';
import { FUZZ_INPUT } from './requests.ts';

/** For how long, and from where on. */
export interface FuzzBudget {
  seed: number;
  /** Ends with the first batch after that time. */
  seconds: number;
  /** Ends with the first batch after so many inputs; no limit by default. */
  maxInputs?: number;
}

/** What came of it; plain data. */
export interface FuzzSummary {
  seed: number;
  tried: number;
  failed: number;
  /** Answers by status; `none` for inputs that were only hung up on. */
  statuses: Record<string, number>;
  /** The first few failures, each with the batch and the index that make the input again, and the input itself. */
  failures: { batch: number; index: number; reason: string; input: string }[];
}

/** Inputs that are made of one seed, `seed + batch`. */
const BATCH = 200;
/** Many: those that are not complete are waited for until the server's time-out. */
const CONCURRENCY = 48;
const MAX_FAILURES = 10;

/** The inputs of a batch: always the same ones. */
export function generateBatch(seed: number, batch: number): Buffer[] {
  return fc.sample(FUZZ_INPUT, { seed: seed + batch, numRuns: BATCH });
}

/** Sends generated requests to a server of HTTP until the budget is used up; `afterBatch` may clean up what they made. */
export async function fuzz(
  port: number,
  budget: FuzzBudget,
  afterBatch: (responses: RawResponse[]) => Promise<void>,
): Promise<FuzzSummary> {
  const summary: FuzzSummary = { seed: budget.seed, tried: 0, failed: 0, statuses: {}, failures: [] };
  const end = performance.now() + budget.seconds * 1000;
  const { maxInputs = Infinity } = budget;
  for (let batch = 0; performance.now() < end && summary.tried < maxInputs; batch++) {
    const inputs = [...generateBatch(budget.seed, batch).entries()];
    const seen: RawResponse[] = [];
    const work = async (): Promise<void> => {
      for (let next = inputs.shift(); next; next = inputs.shift()) {
        const [index, input] = next;
        const { responses, rest, stuck } = await exchange(port, input);
        seen.push(...responses);
        record(summary, { batch, index, input, responses, rest, stuck });
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
    await afterBatch(seen);
  }
  return summary;
}

interface Tried {
  batch: number;
  index: number;
  input: Buffer;
  responses: RawResponse[];
  rest: string;
  stuck: boolean;
}

function record(summary: FuzzSummary, { batch, index, input, responses, rest, stuck }: Tried): void {
  summary.tried += 1;
  for (const status of responses.length === 0 ? ['none'] : responses.map((response) => response.status))
    summary.statuses[status] = (summary.statuses[status] ?? 0) + 1;
  const reason = stuck
    ? 'neither answered nor hung up'
    : rest !== ''
      ? `not a response: ${rest.slice(0, 200)}`
      : responses.map(findFault).find((fault) => fault !== undefined);
  if (reason === undefined) return;
  summary.failed += 1;
  if (summary.failures.length < MAX_FAILURES)
    summary.failures.push({ batch, index, reason, input: input.toString('latin1').slice(0, 2000) });
}

/** What is wrong with a response, if anything (contract: HTTP API, "Envelope" and "Errors"). */
export function findFault({ status, headers, body }: RawResponse): string | undefined {
  const type = headers.get('content-type');
  const where = `${status} ${body.slice(0, 200)}`;
  // Signing in is switched off in this configuration, which its pages say by 503.
  const isPage = type === 'text/html; charset=utf-8' && headers.has('content-security-policy');
  if (status >= 500 && !isPage) return `server error: ${where}`;
  if (!isPage && type !== 'application/json') return `content type ${type ?? 'missing'}: ${where}`;
  if (headers.get('draupnir-version') !== VERSION) return `no version: ${where}`;
  if (isPage || body === '') return undefined;
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return `no JSON: ${where}`;
  }
  if (status < 400) return undefined;
  const error = json as Partial<Record<string, unknown>>;
  const wellFormed =
    Object.keys(error).join() === 'id,status,code,title,detail,source' &&
    error['status'] === String(status) &&
    error['id'] === error['code'] &&
    typeof error['detail'] === 'string';
  return wellFormed ? undefined : `not an error object: ${where}`;
}
