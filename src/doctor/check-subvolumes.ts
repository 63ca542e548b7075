import { quoteWhenNeeded as quote } from '../cli/shell-quote.ts';
import type { Checked, Finding } from './finding.ts';
import type { View } from './view.ts';

type Kind = 'image' | 'instance';

/** What the folders of the data directory hold: subvolumes named after ids. */
const KINDS: Readonly<Record<string, Kind>> = {
  image_uploads: 'image',
  image_snapshots: 'image',
  image_work: 'image',
  instances: 'instance',
};

/** I2: subvolumes = records that should have one; none orphaned, missing or nested. */
export function checkSubvolumes(view: View): Checked {
  const { subvolumes } = view.inspection;
  const paths = new Set(subvolumes.map(({ path }) => path));
  const expected = listExpected(view);
  const findings: Finding[] = [...findMissing(view, paths)];
  for (const { path, nested, id = 0 } of subvolumes) {
    if (nested) findings.push(describeNested(view, path, id));
    else if (!expected.has(path)) findings.push(...describeUnexpected(view, path, paths));
  }
  return { count: subvolumes.length, findings };
}

/** Paths that the records explain. */
function listExpected(view: View): Set<string> {
  const originals = new Set(view.inspection.imageStates.filter((s) => s.original).map(({ id }) => id));
  const paths = view.instances.map(({ id }) => `instances/${id}`);
  for (const { id, status } of view.images) {
    if (status === 'ready') {
      paths.push(`image_snapshots/${id}`);
      // Draupnir 5.3 keeps an upload until its image is destroyed.
      if (originals.has(id)) paths.push(`image_uploads/${id}`);
    } else {
      paths.push(`image_uploads/${id}`);
      // A preparation that could not be recorded: asking for it again finds the snapshot and is done.
      if (status === 'failed') paths.push(`image_snapshots/${id}`);
    }
  }
  return new Set(paths);
}

function* findMissing(view: View, paths: ReadonlySet<string>): Generator<Finding> {
  for (const { id, status } of view.images) {
    const [upload, snapshot] = [`image_uploads/${id}`, `image_snapshots/${id}`];
    const hint = `destroy it and upload it again: draupnir images destroy ${id}`;
    const object = `image ${id}`;
    if (status === 'ready' && !paths.has(snapshot)) {
      yield { invariant: 'I2', object, message: `subvolume ${snapshot} is missing`, hint };
    } else if (status !== 'ready' && !paths.has(upload) && !(status === 'failed' && paths.has(snapshot))) {
      yield { invariant: 'I2', object, message: `subvolume ${upload} is missing`, hint };
    }
  }
  for (const { id } of view.instances) {
    if (paths.has(`instances/${id}`)) continue;
    yield {
      invariant: 'I2',
      object: `instance ${id}`,
      message: `subvolume instances/${id} is missing`,
      hint: `its data is gone: destroy it, draupnir instances destroy ${id} with the shared secret`,
    };
  }
}

/** To delete it by its path would follow a link that the owner of the outer one puts in the way. */
function describeNested(view: View, path: string, id: number): Finding {
  const remove = `; to remove it now: btrfs subvolume delete --subvolid ${id} ${quote(view.dataPath)}`;
  return {
    invariant: 'I2',
    object: `subvolume ${quote(path)}`,
    message: 'lies inside another subvolume',
    hint: `it is deleted with the one it is in${id === 0 ? '' : remove}`,
  };
}

function* describeUnexpected(view: View, path: string, paths: ReadonlySet<string>): Generator<Finding> {
  const [folder = '', name = '', ...rest] = path.split('/');
  const kind = rest.length === 0 && Object.hasOwn(KINDS, folder) ? KINDS[folder] : undefined;
  const id = /^[1-9][0-9]{0,8}$/.test(name) ? Number(name) : undefined;
  const remove = `btrfs subvolume delete -- ${quote(`${view.dataPath}/${path}`)}`;
  if (kind === undefined || id === undefined) {
    const hint = `no record can refer to it; if it is not needed: ${remove}`;
    yield { invariant: 'I2', object: `subvolume ${quote(path)}`, message: 'is unknown', hint };
    return;
  }
  if (view.moving[kind].has(id)) return;
  const object = `${kind} ${id}`;
  if (folder === 'image_work') {
    yield {
      invariant: 'I2',
      object,
      message: `an ended preparation has left its clone ${path}`,
      hint: 'it is of no use: run draupnir doctor --fix',
      repair: { action: 'tidy-image', id },
    };
  } else if (!view.known[kind].has(id)) {
    const destroy = `sudo ${quote(`${view.scriptsPath}/draupnir-destroy-${kind}`)} ${id}`;
    yield {
      invariant: 'I2',
      object,
      message: `subvolume ${path} has no record`,
      hint: `if the database was not restored from an older backup and the data is not needed: ${destroy}`,
    };
  } else {
    const ready = folder === 'image_uploads' && paths.has(`image_snapshots/${id}`);
    const hint = ready
      ? `it holds what was not anonymised; remove it: ${remove}`
      : `look at it; to remove it: ${remove}`;
    yield { invariant: 'I2', object, message: `subvolume ${path} should be gone in its state`, hint };
  }
}
