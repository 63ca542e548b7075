import type { Results, Target } from './results.ts';
import { getMedian, getPercentile } from './statistics.ts';

/** The results as text: every series, then every target, then the comparison with another build. */
export function formatResults(results: Results): string {
  const rows = Object.entries(results.samples).flatMap(([part, series]) =>
    Object.entries(series).map(([name, samples]) => [
      `${part}.${name}`,
      String(samples.length),
      formatNumber(getMedian(samples)),
      formatNumber(getPercentile(samples, 0.95)),
      formatNumber(Math.min(...samples)),
      formatNumber(Math.max(...samples)),
    ]),
  );
  const notes = Object.entries(results.notes).flatMap(([part, texts]) =>
    texts.map((text) => `${part}: ${text}\n`),
  );
  const targets = results.targets.map(({ name, value, limit, met }) => [
    name,
    formatNumber(value),
    formatNumber(limit),
    met ? 'met' : 'MISSED',
  ]);
  const comparisons = results.comparisons.map(({ name, ours, other, ratio }) => [
    name,
    formatNumber(ours),
    formatNumber(other),
    formatNumber(ratio),
  ]);
  return [
    formatTable(['series', 'n', 'median', 'p95', 'min', 'max'], rows),
    notes.join(''),
    formatTable(['target', 'value', 'limit', ''], targets),
    results.targets.map(formatProfile).join(''),
    comparisons.length > 0 ? formatTable(['build', 'ours', 'other', 'ours / other'], comparisons) : '',
  ]
    .filter((text) => text !== '')
    .join('\n');
}

/** Where the time of a missed target went; of the floor, where it has that part too. */
function formatProfile({ name, profile }: Target): string {
  if (!profile) return '';
  const parts = Object.entries(profile.ours).map(([part, ms]) => {
    const floor = profile.floor[part];
    return `${part} ${ms.toFixed(1)}${floor === undefined ? '' : ` (floor ${floor.toFixed(1)})`}`;
  });
  return `${name}: ${parts.join(', ')} ms\n`;
}

function formatTable(head: string[], rows: string[][]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) => line.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

/** Names to the left, numbers to the right. */
function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}

function formatNumber(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(3);
}
