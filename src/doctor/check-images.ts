import { quoteWhenNeeded as quote } from '../cli/shell-quote.ts';
import type { Checked, Finding } from './finding.ts';
import { findId, type View } from './view.ts';

/** DBState DB_SHUTDOWNED (src/include/catalog/pg_control.h). */
const SHUT_DOWN = 1;

/** I6: a ready image is read-only and was shut down cleanly. */
export function checkReadyImages(view: View): Checked {
  const { subvolumes, imageStates } = view.inspection;
  const readOnly = new Set(subvolumes.filter((each) => each.readOnly).map(({ path }) => path));
  const states = new Map(imageStates.map((state) => [state.id, state]));
  const findings: Finding[] = [];
  let count = 0;
  for (const { id, status } of view.images) {
    const state = states.get(id);
    // One that is missing is told of by I2.
    if (status !== 'ready' || !state) continue;
    count++;
    const path = `image_snapshots/${id}`;
    const object = `image ${id}`;
    if (!state.original && !readOnly.has(path)) {
      const command = `btrfs property set -ts ${quote(`${view.dataPath}/${path}`)} ro true`;
      findings.push({
        invariant: 'I6',
        object,
        message: 'its snapshot is writable',
        hint: `destroy it unless nobody can have changed it; then: ${command}`,
      });
    }
    if (state.controlState !== SHUT_DOWN) {
      findings.push({
        invariant: 'I6',
        object,
        message:
          state.controlState === undefined
            ? 'its pg_control cannot be read'
            : `its Postgres was not shut down cleanly (state ${state.controlState} in pg_control)`,
        hint: `destroy it and upload it again: draupnir images destroy ${id}`,
      });
    }
  }
  return { count, findings };
}

/** I7: an image that is not ready has no TCP listener and no route out. Of a preparation under way it holds just so. */
export function checkNetworks(view: View): Checked {
  const { networks, listeners, uids } = view.inspection;
  const findings: Finding[] = [...findRawPostmasters(view)];
  const report = (id: number, message: string, pid?: number): void => {
    const end =
      pid === undefined ? `by ss -ltnp, and end it` : `by ps -fp ${pid}, and end it: kill -KILL ${pid}`;
    findings.push({ invariant: 'I7', object: `image ${id}`, message, hint: `find out what it is ${end}` });
  };
  for (const network of networks) {
    const id = findId(network.uid, uids.imageBase, uids.count);
    if (id === undefined) continue;
    const outside = network.interfaces.filter((name) => name !== 'lo');
    if (network.ofHost) report(id, 'a process of its uid has the network of the host', network.pid);
    else if (outside.length > 0)
      report(id, `a process of its uid has a way out (${outside.join(', ')})`, network.pid);
    else if (network.listeners > 0) report(id, 'a process of its uid listens on TCP', network.pid);
  }
  for (const { uid, port } of listeners) {
    const id = findId(uid, uids.imageBase, uids.count);
    if (id !== undefined) report(id, `a process of its uid listens on port ${port} of the host`);
  }
  return { count: networks.length, findings };
}

/**
 * Draupnir 5.3 prepared an image in its upload, by a Postgres on the network of the host, which goes on when
 * that is cut short.
 */
function* findRawPostmasters({ inspection, dataPath, moving }: View): Generator<Finding> {
  const { entries, processes, workingIn } = inspection;
  for (const { folder, name, ownerUid } of entries) {
    if (folder !== 'image_uploads' || !/^[1-9][0-9]{0,8}$/.test(name) || moving.image.has(Number(name)))
      continue;
    const path = `${dataPath}/image_uploads/${name}`;
    const found = processes.some(
      (process) =>
        process.uid === ownerUid && process.name === 'postgres' && workingIn.get(process.pid) === path,
    );
    if (!found) continue;
    yield {
      invariant: 'I7',
      object: `image ${name}`,
      message: 'a Postgres of Draupnir 5.3 runs on its upload, which is not anonymised',
      hint: 'run draupnir doctor --fix, which stops it; the upload stays',
      repair: { action: 'tidy-image', id: Number(name) },
    };
  }
}
