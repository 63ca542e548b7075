import { setTimeout as delay } from 'node:timers/promises';
import type { Probe, Prober } from './answer.ts';
import { checkAnswers } from './check-answers.ts';
import { checkFirewall } from './check-firewall.ts';
import { checkNetworks, checkReadyImages } from './check-images.ts';
import { checkLeftovers } from './check-leftovers.ts';
import { checkPorts, type PortRange } from './check-ports.ts';
import { checkProcesses } from './check-processes.ts';
import { checkRecords, type Patience } from './check-records.ts';
import { checkSubvolumes } from './check-subvolumes.ts';
import { type Checked, type Finding, getKey, type Invariant } from './finding.ts';
import type { Inspection, Inspector } from './inspection.ts';
import type { RecordSource } from './records.ts';
import { createView, findAdoptedUid } from './view.ts';

export interface ExaminationParts {
  readonly records: RecordSource;
  readonly inspector: Inspector;
  readonly prober: Prober;
  readonly paths: { readonly dataPath: string; readonly scriptsPath: string };
  readonly ports: PortRange;
  /** Where the API listens, which may be among them. */
  readonly apiPorts: readonly number[];
  readonly checksFirewall: boolean;
  readonly patience: Patience;
}

/** What was looked at, and what does not hold. */
export interface Examined {
  readonly checked: Readonly<Partial<Record<Invariant, number>>>;
  readonly findings: readonly Finding[];
  /** The host as it was at the first look. */
  readonly inspection: Inspection;
}

/**
 * What an operation needs to get from one mark of its progress to the next (a state, a script that runs), in milliseconds:
 * a finding that is not there any more after these times was one of these moments.
 */
const SECOND_LOOKS_MS = [400, 1200];

/** For what was just started: recovery may take a while. */
export const PATIENT_LOOKS_MS = [500, 500, 1000, 2000, 4000, 8000];

/** Looks until nothing is found, or the same is found every time; only that is told. */
export async function examine(
  parts: ExaminationParts,
  secondLooksMs: readonly number[] = SECOND_LOOKS_MS,
): Promise<Examined> {
  const first = await look(parts);
  let findings = first.findings;
  for (const pauseMs of secondLooksMs) {
    if (findings.length === 0) break;
    await delay(pauseMs);
    const again = await look(parts, findings);
    const keys = new Set(again.findings.map(getKey));
    findings = findings.filter((finding) => keys.has(getKey(finding)));
  }
  return { ...first, findings };
}

/** One look at everything; only instances with findings are asked again. */
async function look(parts: ExaminationParts, earlier?: readonly Finding[]): Promise<Examined> {
  const before = await parts.records.read();
  const suspects = earlier && new Set(earlier.map(({ object }) => object));
  const inspection = await parts.inspector.inspect();
  const asked = before.instances
    .filter(({ status, portTaken }) => status === 'ready' && !portTaken)
    .filter(({ id }) => !suspects || suspects.has(`instance ${id}`))
    .map((record) => ({ ...record, adoptedUid: findAdoptedUid(inspection, record.id) }));
  const probes: Probe[] = await parts.prober.probe(asked);
  const after = await parts.records.read();

  const view = createView(before, inspection, after, parts.paths);
  const results: [Invariant, Checked][] = [
    ['I1', checkAnswers(view, probes, new Date())],
    ['I2', checkSubvolumes(view)],
    ['I3', checkProcesses(view)],
    ['I4', checkPorts(view, parts.ports, parts.apiPorts)],
    ...(parts.checksFirewall
      ? [['I5', checkFirewall(view, after.addresses, parts.ports)] satisfies [Invariant, Checked]]
      : []),
    ['I6', checkReadyImages(view)],
    ['I7', checkNetworks(view)],
    ['records', checkRecords(after, inspection, parts.patience)],
    ['leftovers', checkLeftovers(view)],
  ];
  return {
    checked: Object.fromEntries(results.map(([invariant, { count }]) => [invariant, count])),
    findings: results.flatMap(([, { findings }]) => findings),
    inspection,
  };
}
