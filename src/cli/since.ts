import { parseGoDuration } from '../config/go-duration.ts';

/** A date of ISO 8601, with or without a time; a time says where, as `Z` or an offset. */
const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[-+]\d\d:\d\d))?$/;

/** The moment that a duration before `now`, or a time, stands for; undefined when the text is neither. */
export function parseSince(text: string, now: Date): Date | undefined {
  const ms = parseGoDuration(text);
  if (ms !== undefined) return ms < 0 ? undefined : new Date(now.getTime() - ms);
  const time = new Date(TIME.test(text) ? text : Number.NaN);
  return Number.isNaN(time.getTime()) ? undefined : time;
}
