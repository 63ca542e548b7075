import type { IncomingHttpHeaders } from 'node:http';
import { formatTime } from '../wire.ts';

/**
 * Clocks that differ by less are normal, in milliseconds. Certificates of instances begin an hour before they
 * are made.
 */
const TOLERANCE_MS = 5 * 60_000;

const UNITS = [
  ['day', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
] as const;

/**
 * How far this machine's clock is ahead of the server's, in milliseconds, by the `Date` of an answer;
 * negative when it is behind. Undefined without `Date`, and for an answer from a cache (RFC 9111, section
 * 5.1), whose `Date` is old.
 */
export function measureClock(
  headers: Pick<IncomingHttpHeaders, 'date' | 'age'>,
  receivedAt: Date,
): number | undefined {
  const server = Date.parse(headers.date ?? '');
  return Number.isNaN(server) || headers.age !== undefined ? undefined : receivedAt.getTime() - server;
}

/** `2 h behind the server's`; undefined when the clocks agree. */
export function describeClock(aheadMs: number | undefined): string | undefined {
  if (aheadMs === undefined || Math.abs(aheadMs) < TOLERANCE_MS) return undefined;
  return `${formatDuration(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} the server's`;
}

/**
 * Explains a certificate that this machine takes for expired, or for not valid yet: by the clocks, if the
 * server's own time is within its validity, else by its dates.
 */
export function explainValidity(
  kind: 'expired' | 'not yet valid',
  aheadMs: number | undefined,
  validity: { from: Date; to: Date } | undefined,
  now: Date,
): { reason: string; hint: string } {
  const state = kind === 'expired' ? 'has expired' : 'is not valid yet';
  const date = kind === 'expired' ? validity?.to : validity?.from;
  const isKnown = date !== undefined && !Number.isNaN(date.getTime());
  const dates = isKnown ? ` (${kind === 'expired' ? 'until' : 'from'} ${formatTime(date)})` : '';
  const clock = describeClock(aheadMs);
  if (clock !== undefined && validity && isWithin(now.getTime() - (aheadMs ?? 0), validity)) {
    return {
      reason: `its certificate ${state} by this machine's clock, which is ${clock}`,
      hint: `set the clock of this machine: it shows ${formatTime(now)}`,
    };
  }
  const check = `check the clock of this machine: it shows ${formatTime(now)}`;
  return {
    reason: `its certificate ${state}${dates}`,
    hint: kind === 'expired' ? `renew it, and ${check}` : check,
  };
}

function isWithin(time: number, { from, to }: { from: Date; to: Date }): boolean {
  return time >= from.getTime() && time <= to.getTime();
}

function formatDuration(ms: number): string {
  for (const [unit, length] of UNITS) {
    const count = Math.round(ms / length);
    if (ms >= length) return `${count} ${unit === 'day' && count !== 1 ? 'days' : unit}`;
  }
  return `${Math.round(ms / 1000)} s`;
}
