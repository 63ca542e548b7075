import type { Checked, Finding } from './finding.ts';
import type { Inspection } from './inspection.ts';
import type { Records } from './records.ts';

/** How long something may be under way without any script at work, in milliseconds. */
export interface Patience {
  /** A preparation, which may have to wait for its turn. */
  readonly finalisingMs: number;
  readonly otherMs: number;
}

const PASSING = ['creating', 'destroying', 'finalising'];

/** Records in a state that passes are to leave it: somebody must be at work on them. */
export function checkRecords(records: Records, inspection: Inspection, patience: Patience): Checked {
  const findings: Finding[] = [];
  const check = (kind: 'image' | 'instance', { id, status, ageMs }: Records['images'][number]): void => {
    if (!PASSING.includes(status) || inspection.busy[kind].has(id)) return;
    if (records.serverRuns && ageMs <= (status === 'finalising' ? patience.finalisingMs : patience.otherMs))
      return;
    const message = `is ${status}, and nobody is at work on it`;
    const hint = records.serverRuns
      ? 'restart the server, which finishes what was left undone'
      : 'start the server, which finishes what was left undone';
    findings.push({ invariant: 'records', object: `${kind} ${id}`, message, hint });
  };
  for (const image of records.images) check('image', image);
  for (const instance of records.instances) check('instance', instance);
  return { count: records.images.length + records.instances.length, findings };
}
