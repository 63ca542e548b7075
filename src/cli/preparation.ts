import { setTimeout as delay } from 'node:timers/promises';
import { ConnectionError } from './connection-failure.ts';
import { type Image, readImage, readOne } from './documents.ts';
import { CliError } from './failure.ts';
import { AnswerError } from './read-answer.ts';
import type { TimeLimits } from './time-limits.ts';

/** An image that is being finalised, as a look finds it. */
export interface Preparation {
  image: Image;
  /** Absent from servers that do not report it: 5.3 ignores the parameter. */
  status: string | undefined;
  /** Why the last preparation failed. */
  failure: string | undefined;
}

/** What a preparation needs of the server; all throw `CliError`. */
export interface PreparationCalls {
  /** Asks for the preparation, or joins it: `finalising` when the work goes on, `ready` at its end. */
  begin: () => Promise<Preparation>;
  look: () => Promise<Preparation>;
  /** The error of a preparation that has failed, from servers that report it. */
  findError: () => Promise<CliError | undefined>;
}

const FIELDS = ['backed_up_at', 'created_at', 'ready', 'updated_at', 'status', 'failure'];

/** The query that reports them; some proxies refuse plain brackets. */
export const PREPARATION_FIELDS = `fields%5Bimages%5D=${FIELDS.join(',')}`;

/** Reads what `PREPARATION_FIELDS` asks for. Throws `MalformedAnswer`. */
export function readPreparation(document: unknown): Preparation {
  const image = readOne(document, readImage);
  const { attributes } = (document as { data: { attributes: Record<string, unknown> } }).data;
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  return { image, status: text(attributes['status']), failure: text(attributes['failure']) };
}

/**
 * Has an image prepared and waits for the end. The work belongs to the server: when an answer is lost, or the
 * server restarts, the image is looked at again for as long as `outageMs`. A failure counts only once this
 * preparation is known to have begun; before, it is that of an earlier one. Throws `CliError`.
 */
export async function waitForImage(calls: PreparationCalls, limits: TimeLimits): Promise<Image> {
  const start = performance.now();
  let begun = false;
  let lost: CliError | undefined;
  let outageSince: number | undefined;
  for (;;) {
    const isAsked = begun || lost !== undefined;
    let found: Preparation;
    try {
      found = await (isAsked ? calls.look() : calls.begin());
    } catch (error) {
      if (!isPassing(error, isAsked)) throw error;
      outageSince ??= performance.now();
      if (performance.now() - outageSince > limits.outageMs) throw describeOutage(error, limits);
      lost = error;
      await delay(limits.retryMs);
      continue;
    }
    const { image, status, failure } = found;
    if (image.ready || status === 'ready') return image;
    // A server of 5.3: only the lost answer would have reported the end.
    if (status === undefined) throw lost ?? new CliError('the server does not report the state of images');
    if (status === 'failed' && begun) throw await describeFailure(calls, failure);
    // In any other state, the request did not arrive: ask again.
    begun = status === 'finalising';
    lost = undefined;
    if (begun) outageSince = undefined;
    await delay(getPollInterval(performance.now() - start, limits));
  }
}

/** Whether the work may go on though this went wrong. `asked`: a request for it may have arrived before. */
function isPassing(error: unknown, asked: boolean): error is CliError {
  if (error instanceof ConnectionError) return asked || error.sent;
  if (!(error instanceof AnswerError)) return false;
  const { status, id } = error;
  // A proxy has lost patience, or the server stops and goes on when it is back.
  if (id === undefined) return [502, 503, 504].includes(status);
  return id === 'finalise_interrupted' || (asked && [429, 503].includes(status));
}

async function describeFailure(calls: PreparationCalls, failure = ''): Promise<CliError> {
  const error = await calls.findError().catch(() => undefined);
  return error ?? new CliError(`Finalise Failed (${failure})`);
}

function describeOutage(cause: CliError, { outageMs }: TimeLimits): CliError {
  return new CliError(`no answer for ${Math.round(outageMs / 1000)} s; at last: ${cause.message}`, {
    hint: 'the image may be finalised nevertheless; the same command waits for it again',
    cause,
  });
}

/** Adds a fiftieth to the time at most. */
function getPollInterval(elapsedMs: number, { minPollMs, maxPollMs }: TimeLimits): number {
  return Math.min(maxPollMs, Math.max(minPollMs, elapsedMs / 50));
}
