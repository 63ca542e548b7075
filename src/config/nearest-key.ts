/** The known key with the fewest typing errors from the given one; the first of several. Throws when none is known. */
export function getNearestKey(key: string, known: readonly string[]): string {
  const [nearest] = known
    .map((candidate) => ({ candidate, distance: getEditDistance(key.toLowerCase(), candidate) }))
    .sort((a, b) => a.distance - b.distance);
  if (nearest === undefined) throw new TypeError('no keys to choose from');
  return nearest.candidate;
}

/** Levenshtein distance: how many characters must be inserted, removed or replaced to get from one text to the other. */
export function getEditDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [row, a] of from.split('').entries()) {
    const current = [row + 1];
    for (const [column, b] of to.split('').entries()) {
      const replace = (previous[column] ?? 0) + (a === b ? 0 : 1);
      const remove = (previous[column + 1] ?? 0) + 1;
      const insert = (current[column] ?? 0) + 1;
      current.push(Math.min(replace, remove, insert));
    }
    previous = current;
  }
  return previous.at(-1) ?? 0;
}
