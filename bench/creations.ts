import type { LogLine } from '../spec/e2e/support/server.ts';
import type { ProvenFloorInstance } from './floor.ts';
import type { Profile, Recorder } from './results.ts';
import { getMedian, getPercentile } from './statistics.ts';
import type { Workbench } from './workbench.ts';

/** What the proven floor's series of one part are called. */
const FLOOR_PART = /^proven_floor_part_(.*)_ms$/;

/**
 * Records where the time of creations went, by the server's log; resolves to its lines about them. `answers` are the milliseconds
 * until a client had its answer, by instance id. What the server's parts leave of them is part `outside`: connection, HTTP, and
 * the queue of creations.
 */
export async function recordCreations(
  { server }: { server: Pick<Workbench['server'], 'readLog'> },
  record: Recorder,
  answers: ReadonlyMap<number, number>,
): Promise<LogLine[]> {
  const lines = (await server.readLog()).filter(
    ({ msg, instanceId }) => msg === 'created instance' && answers.has(Number(instanceId)),
  );
  const creations = lines.map(({ parts, instanceId }) => {
    const profile = parts as Profile;
    return { ...profile, outside: (answers.get(Number(instanceId)) ?? NaN) - sum(profile) };
  });
  for (const profile of creations) {
    for (const [part, ms] of Object.entries(profile)) record.add(`part_${part}_ms`, ms);
  }
  record.profiles = {
    p50: getCreation(creations, 0.5),
    p95: getCreation(creations, 0.95),
    floor: getFloor(record),
  };
  return lines;
}

/** Records where the time of a floor with the proof went. */
export function recordFloor(record: Recorder, { parts }: ProvenFloorInstance): void {
  for (const [part, ms] of Object.entries(parts)) record.add(`proven_floor_part_${part}_ms`, ms);
}

/** The creation whose whole time is that percentile. */
function getCreation(creations: readonly Profile[], p: number): Profile {
  const total = getPercentile(creations.map(sum), p);
  const found = creations.find((profile) => sum(profile) === total);
  if (!found) throw new Error('no creation is in the log');
  return found;
}

function getFloor({ samples }: Recorder): Profile {
  const parts = Object.entries(samples).flatMap(([name, values]): [string, number][] => {
    const part = FLOOR_PART.exec(name)?.[1];
    return part === undefined ? [] : [[part, getMedian(values)]];
  });
  return Object.fromEntries(parts);
}

function sum(profile: Profile): number {
  return Object.values(profile).reduce((total, ms) => total + ms, 0);
}
