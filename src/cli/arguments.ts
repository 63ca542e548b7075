import { InvalidArgumentError } from 'commander';

/** Reads an id as the server hands them out: a whole number from 1 to 999,999,999. */
export function parseId(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) {
    throw new InvalidArgumentError('an id is a whole number such as 3');
  }
  return Number(text);
}

/** Checks a time of RFC 3339, the form the API takes; it is sent as given. */
export function parseBackedUpAt(text: string): string {
  const date = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.exec(text)?.[1];
  // Date.parse takes 30 February for 2 March.
  const dayExists = date !== undefined && isoDay(`${date}T00:00:00Z`) === date;
  if (!dayExists || Number.isNaN(Date.parse(text))) {
    throw new InvalidArgumentError('the time of the backup is wanted in the form 2017-05-01T12:00:00Z');
  }
  return text;
}

function isoDay(time: string): string | undefined {
  const parsed = new Date(time);
  return Number.isNaN(parsed.getTime()) ? undefined : parsed.toISOString().slice(0, 10);
}
