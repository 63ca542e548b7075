/** The smallest sample that the share `p` (0 to 1) of all does not exceed (nearest rank). */
export function getPercentile(samples: readonly number[], p: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)];
  if (value === undefined) throw new RangeError('no samples');
  return value;
}

/** The middle one; of an even number the lower of the middle two. */
export function getMedian(samples: readonly number[]): number {
  return getPercentile(samples, 0.5);
}

/** Runs two operations one after the other, and the other way round in every second round: neither is always the later one. */
export async function inTurn(
  round: number,
  first: () => Promise<void>,
  second: () => Promise<void>,
): Promise<void> {
  for (const operation of round % 2 === 0 ? [first, second] : [second, first]) await operation();
}

/** Runs an operation; resolves to the milliseconds it took, and to its result. */
export async function measure<T>(operation: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const started = performance.now();
  const result = await operation();
  return { ms: performance.now() - started, result };
}
