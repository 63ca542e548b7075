/** The invariants, and three groups for what is around them: installation, stuck records, leftover files. */
export const INVARIANTS = [
  'I1',
  'I2',
  'I3',
  'I4',
  'I5',
  'I6',
  'I7',
  'I14',
  'installation',
  'records',
  'leftovers',
] as const;

export type Invariant = (typeof INVARIANTS)[number];

/** What `--fix` can do; none of it removes data. */
export interface Repair {
  readonly action: 'start-instance' | 'stop-instance' | 'restart-instance' | 'tidy-instance' | 'tidy-image';
  readonly id: number;
}

/** Something that does not hold. */
export interface Finding {
  readonly invariant: Invariant;
  /** `image 7`, `instance 3`, `port 16412` and the like; with the invariant and the message it names the finding. */
  readonly object: string;
  /** What is wrong; the same text as long as it is the same thing, so without the status, which may change meanwhile. */
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
  readonly repair?: Repair;
}

/** What a check came to. */
export interface Checked {
  /** How many objects were looked at. */
  readonly count: number;
  readonly findings: readonly Finding[];
}

/** The same thing found twice has the same key. */
export function getKey(finding: Finding): string {
  return `${finding.invariant} ${finding.object}: ${finding.message}`;
}
