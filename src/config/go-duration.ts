/** Units of Go's `time` package in nanoseconds, longest first. Both micro signs are Go's: U+00B5 and U+03BC. */
const UNITS: readonly (readonly [string, bigint])[] = [
  ['h', 3_600_000_000_000n],
  ['m', 60_000_000_000n],
  ['s', 1_000_000_000n],
  ['ms', 1_000_000n],
  ['us', 1_000n],
  ['\u00b5s', 1_000n],
  ['\u03bcs', 1_000n],
  ['ns', 1n],
];
const NANOSECONDS = new Map(UNITS);
const NANOSECONDS_PER_MS = 1_000_000n;

/** A Go duration is an int64 of nanoseconds, about 292 years. */
const LIMIT = 2n ** 63n;

/**
 * Reads a duration as Go's `time.ParseDuration` does (https://pkg.go.dev/time#ParseDuration): a sign, then numbers,
 * each with an optional fraction and a unit, such as `1h30m` or `1.5s`; `0` alone needs no unit. Returns milliseconds,
 * with a fraction below one, or undefined when the text is not a duration or exceeds Go's range.
 */
export function parseGoDuration(text: string): number | undefined {
  const sign = /^[-+]/.exec(text)?.[0] ?? '';
  const rest = text.slice(sign.length);
  if (rest === '0') return 0;

  const terms = /(\d*)(?:\.(\d*))?([^.\d]+)/y;
  let total = 0n;
  do {
    const match = terms.exec(rest);
    if (match === null) return undefined;
    const [, whole = '', fraction = '', unit = ''] = match;
    const scale = NANOSECONDS.get(unit);
    if (scale === undefined || whole + fraction === '') return undefined;
    // Go cuts off what is below a nanosecond.
    total += BigInt(whole) * scale + (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length);
  } while (terms.lastIndex < rest.length);

  const negative = sign === '-';
  if (total > LIMIT || (total === LIMIT && !negative)) return undefined;
  return toMs(negative ? -total : total);
}

/** Writes milliseconds as a Go duration, to the nanosecond, leaving out what is zero: `1h30m`, `1s500ms`, `0s`. */
export function formatGoDuration(ms: number): string {
  let rest = toNanoseconds(Math.abs(ms));
  if (rest === 0n) return '0s';
  let text = ms < 0 ? '-' : '';
  for (const [unit, scale] of UNITS) {
    if (rest >= scale) text += `${rest / scale}${unit}`;
    rest %= scale;
  }
  return text;
}

// Whole milliseconds and the rest apart, both ways: at once, long durations would lose their last nanoseconds.

function toMs(nanoseconds: bigint): number {
  return Number(nanoseconds / NANOSECONDS_PER_MS) + Number(nanoseconds % NANOSECONDS_PER_MS) / 1e6;
}

function toNanoseconds(ms: number): bigint {
  const whole = Math.trunc(ms);
  return BigInt(whole) * NANOSECONDS_PER_MS + BigInt(Math.round((ms - whole) * 1e6));
}
