import type { Inspection, Process } from './inspection.ts';
import type { ImageRecord, InstanceRecord, Records } from './records.ts';

/** An instance that stays as it is during the look. */
export interface SettledInstance extends InstanceRecord {
  /** Whether its Postgres is to run. */
  readonly runs: boolean;
  /** Made by Draupnir 5.3: its data directory belongs to a user that several share, who is this one. */
  readonly adoptedUid: number | undefined;
}

/** Both sides of a look, with what changes meanwhile told apart from what does not. */
export interface View {
  readonly inspection: Inspection;
  readonly dataPath: string;
  /** Folder of the scripts, for commands in hints. */
  readonly scriptsPath: string;
  /** Images that stay as they are; those in a state that passes never do. */
  readonly images: readonly ImageRecord[];
  readonly instances: readonly SettledInstance[];
  /** Every image and instance with a record before or after. */
  readonly known: { readonly image: ReadonlySet<number>; readonly instance: ReadonlySet<number> };
  /** Those somebody is at work on: nothing can be said of them but that they are kept apart. */
  readonly moving: { readonly image: ReadonlySet<number>; readonly instance: ReadonlySet<number> };
  /** Ports of instances that are moving. */
  readonly movingPorts: ReadonlySet<number>;
}

const MOVING_IMAGE = ['creating', 'finalising', 'destroying'];
const MOVING_INSTANCE = ['creating', 'destroying'];

/**
 * Puts together what the records said before and after the host was looked at. What differs between the two, is in a state
 * that passes, or is worked on by a script is moving.
 */
export function createView(
  before: Records,
  inspection: Inspection,
  after: Records,
  paths: { dataPath: string; scriptsPath: string },
): View {
  const image = { before: byId(before.images), after: byId(after.images) };
  const instance = { before: byId(before.instances), after: byId(after.instances) };
  const movingImages = new Set(inspection.busy.image);
  for (const id of unionOfKeys(image.before, image.after)) {
    const [one, two] = [image.before.get(id), image.after.get(id)];
    if (one?.status !== two?.status || MOVING_IMAGE.includes(two?.status ?? '')) movingImages.add(id);
  }
  const movingInstances = new Set(inspection.busy.instance);
  for (const id of unionOfKeys(instance.before, instance.after)) {
    const [one, two] = [instance.before.get(id), instance.after.get(id)];
    const changed = one?.status !== two?.status || one?.port !== two?.port || !isSame(one, two);
    if (changed || MOVING_INSTANCE.includes(two?.status ?? '')) movingInstances.add(id);
  }
  return {
    inspection,
    ...paths,
    images: after.images.filter(({ id }) => !movingImages.has(id)),
    instances: after.instances
      .filter(({ id }) => !movingInstances.has(id))
      .map((record) => ({
        ...record,
        runs: record.status === 'ready' && !record.portTaken,
        adoptedUid: findAdoptedUid(inspection, record.id),
      })),
    known: {
      image: unionOfKeys(image.before, image.after),
      instance: unionOfKeys(instance.before, instance.after),
    },
    moving: { image: movingImages, instance: movingInstances },
    movingPorts: new Set(
      [...before.instances, ...after.instances]
        .filter(({ id }) => movingInstances.has(id))
        .map(({ port }) => port),
    ),
  };
}

/** The owner of the data directory of an instance that Draupnir 5.3 made (scripts/lib/adopted.sh). */
export function findAdoptedUid(inspection: Inspection, id: number): number | undefined {
  const named = (folder: string) => inspection.entries.find((e) => e.folder === folder && e.name === `${id}`);
  const data = named('instances');
  if (!data || named('instance_config')) return undefined;
  const { imageBase, instanceBase, count } = inspection.uids;
  const isOurs = data.ownerUid === instanceBase + id || findId(data.ownerUid, imageBase, count) !== undefined;
  return data.ownerUid === 0 || isOurs ? undefined : data.ownerUid;
}

/** The id whose uid this is, if it is in the range that starts at `base`. */
export function findId(uid: number, base: number, count: number): number | undefined {
  return uid > base && uid < base + count ? uid - base : undefined;
}

/** The live processes of an instance: by its uid, or in its data directory if Draupnir 5.3 made it. */
export function listProcessesOf(view: View, instance: SettledInstance): Process[] {
  const { inspection, dataPath } = view;
  if (instance.adoptedUid === undefined) {
    return inspection.processes.filter(({ uid }) => uid === inspection.uids.instanceBase + instance.id);
  }
  const folder = `${dataPath}/instances/${instance.id}`;
  return inspection.processes.filter(
    ({ pid, uid }) => uid === instance.adoptedUid && inspection.workingIn.get(pid) === folder,
  );
}

function byId<T extends { id: number }>(records: readonly T[]): Map<number, T> {
  return new Map(records.map((record) => [record.id, record]));
}

function unionOfKeys(one: ReadonlyMap<number, unknown>, two: ReadonlyMap<number, unknown>): Set<number> {
  return new Set([...one.keys(), ...two.keys()]);
}

function isSame(one: InstanceRecord | undefined, two: InstanceRecord | undefined): boolean {
  if (!one?.credentials || !two?.credentials) return one?.credentials === two?.credentials;
  return one.credentials.equals(two.credentials);
}
