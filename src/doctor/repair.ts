import { type Finding, getKey, type Repair } from './finding.ts';

/** Carries out repairs; throws when one fails. */
export interface Repairer {
  repair(repair: Repair): Promise<void>;
}

/** A finding after `--fix`. */
export interface Treated extends Finding {
  readonly fixed: boolean;
  /** What was done about it. */
  readonly done?: string;
}

const DONE: Readonly<Record<Repair['action'], string>> = {
  'start-instance': 'started the instance',
  'stop-instance': 'stopped the instance',
  'restart-instance': 'stopped and started the instance',
  'tidy-instance': 'ended what ran under its uid and removed its run files and empty directories',
  'tidy-image': 'ended what ran for its preparation and removed its clone and run files',
};

/** Does once what findings ask for; tells by finding what was done. One failure does not keep the others from being tried. */
export async function treat(findings: readonly Finding[], repairer: Repairer): Promise<Map<string, string>> {
  const outcomes = new Map<string, Promise<string>>();
  // A restart does all that a start does.
  const restarted = new Set(
    findings.flatMap(({ repair }) => (repair?.action === 'restart-instance' ? [repair.id] : [])),
  );
  const done = new Map<string, string>();
  for (const finding of findings) {
    const { repair } = finding;
    if (!repair) continue;
    const action =
      repair.action === 'start-instance' && restarted.has(repair.id) ? 'restart-instance' : repair.action;
    const name = `${action} ${repair.id}`;
    let outcome = outcomes.get(name);
    if (!outcome) {
      outcome = carryOut({ action, id: repair.id }, repairer);
      outcomes.set(name, outcome);
    }
    done.set(getKey(finding), await outcome);
  }
  return done;
}

/** Marks the findings that are gone afterwards, and appends those that have come. */
export function mark(
  findings: readonly Finding[],
  done: ReadonlyMap<string, string>,
  after: readonly Finding[],
): Treated[] {
  const left = new Set(after.map(getKey));
  const known = new Set(findings.map(getKey));
  const marked = findings.map((finding) => {
    const text = done.get(getKey(finding));
    return { ...finding, fixed: !left.has(getKey(finding)), ...(text !== undefined && { done: text }) };
  });
  return [
    ...marked,
    ...after.filter((each) => !known.has(getKey(each))).map((each) => ({ ...each, fixed: false })),
  ];
}

async function carryOut(repair: Repair, repairer: Repairer): Promise<string> {
  try {
    await repairer.repair(repair);
    return DONE[repair.action];
  } catch (error) {
    if (!(error instanceof Error)) return 'tried, and failed';
    const reason = 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message;
    return `tried, and failed: ${reason}`;
  }
}
