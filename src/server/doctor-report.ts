import { INVARIANTS, type Invariant } from '../doctor/finding.ts';
import type { Treated } from '../doctor/repair.ts';

/** What `draupnir doctor` tells. */
export interface Report {
  readonly ok: boolean;
  /** Objects that were looked at, by invariant. */
  readonly checked: Readonly<Partial<Record<Invariant, number>>>;
  readonly findings: readonly Treated[];
  readonly durationMs: number;
}

/** One JSON document on a line. */
export function formatReportAsJson({ ok, checked, findings, durationMs }: Report): string {
  const shown = findings.map(({ invariant, object, message, hint, fixed, done }) => ({
    invariant,
    object,
    message,
    hint,
    fixed,
    ...(done !== undefined && { done }),
  }));
  return `${JSON.stringify({ ok, checked, findings: shown, duration_ms: durationMs })}\n`;
}

/** For people: a line a finding, what to do on the next one, and a last line that sums up. */
export function formatReport({ ok, checked, findings, durationMs }: Report): string {
  const lines = findings.flatMap(({ invariant, object, message, hint, fixed, done }) => [
    `${invariant} ${object}: ${message}${fixed ? ' (fixed)' : ''}`,
    ...(done === undefined ? [] : [`   done: ${done}`]),
    ...(fixed ? [] : [`   hint: ${hint}`]),
  ]);
  const counts = INVARIANTS.flatMap((invariant) => {
    const count = checked[invariant];
    return count === undefined ? [] : [`${invariant} ${count}`];
  });
  const left = findings.filter(({ fixed }) => !fixed).length;
  const verdict = ok ? 'all holds' : `${left} ${left === 1 ? 'finding' : 'findings'}`;
  lines.push(`${verdict}; checked ${counts.join(', ') || 'nothing'} in ${durationMs} ms`);
  return lines.map((line) => `${stripControls(line)}\n`).join('');
}

/** Names of files and processes are somebody else's: they must not break the line or send the terminal commands. */
function stripControls(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are the point
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}
