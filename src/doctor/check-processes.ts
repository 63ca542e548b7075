import type { Checked, Finding } from './finding.ts';
import type { Process } from './inspection.ts';
import { findId, listProcessesOf, type SettledInstance, type View } from './view.ts';

/** I3: processes in the uid ranges = records that should run. */
export function checkProcesses(view: View): Checked {
  const { uids, processes } = view.inspection;
  const instances = new Map<number, Process[]>();
  const images = new Map<number, Process[]>();
  for (const process of processes) {
    const instance = findId(process.uid, uids.instanceBase, uids.count);
    const image = findId(process.uid, uids.imageBase, uids.count);
    if (instance !== undefined) add(instances, instance, process);
    else if (image !== undefined) add(images, image, process);
  }
  const findings = [
    ...checkImages(view, images),
    ...checkUnknown(view, instances),
    ...view.instances.flatMap((instance) => [...checkInstance(view, instance)]),
  ];
  return { count: instances.size + images.size, findings };
}

/** Only a preparation under way has processes. */
function* checkImages(view: View, images: ReadonlyMap<number, Process[]>): Generator<Finding> {
  for (const [id, processes] of images) {
    if (view.moving.image.has(id)) continue;
    yield {
      invariant: 'I3',
      object: `image ${id}`,
      message: `${describe(processes)} of its uid, though it is not being prepared`,
      hint: 'run draupnir doctor --fix, which ends them',
      repair: { action: 'tidy-image', id },
    };
  }
}

function* checkUnknown(view: View, instances: ReadonlyMap<number, Process[]>): Generator<Finding> {
  const paths = new Set(view.inspection.subvolumes.map(({ path }) => path));
  for (const [id, processes] of instances) {
    if (view.known.instance.has(id) || view.moving.instance.has(id)) continue;
    const finding = {
      invariant: 'I3',
      object: `instance ${id}`,
      message: `${describe(processes)} of its uid, though it has no record`,
    } as const;
    if (paths.has(`instances/${id}`)) {
      yield { ...finding, hint: `it has data as well: see there; to stop it: ${stopCommand(view, id)}` };
    } else {
      const hint = 'run draupnir doctor --fix, which ends them';
      yield { ...finding, hint, repair: { action: 'tidy-instance', id } };
    }
  }
}

function* checkInstance(view: View, instance: SettledInstance): Generator<Finding> {
  const { id, status, runs, adoptedUid, portTaken } = instance;
  const object = `instance ${id}`;
  const processes = listProcessesOf(view, instance);
  if (!runs) {
    if (processes.length === 0) {
      // Of one whose port is taken I4 reports why.
      if (status === 'failed' && !portTaken) yield describeFailed(object, id);
      return;
    }
    const message = `${describe(processes)} of its uid, though it should not run`;
    const hint = 'run draupnir doctor --fix, which stops it';
    yield { invariant: 'I3', object, message, hint, repair: { action: 'stop-instance', id } };
    return;
  }
  if (adoptedUid !== undefined) {
    if (processes.length > 0) return;
    const hint = 'an instance of Draupnir 5.3 is not started again: destroy it and create another';
    yield { invariant: 'I3', object, message: 'is ready, but has no process', hint };
    return;
  }
  const postmaster = processes.find(({ pid }) => pid === view.inspection.postmasters.get(id));
  if (!postmaster) {
    const hint = 'run draupnir doctor --fix, which starts it';
    yield {
      invariant: 'I3',
      object,
      message: 'is ready, but its postmaster does not run',
      hint,
      repair: { action: 'start-instance', id },
    };
    return;
  }
  if (view.inspection.unfiltered.has(id)) {
    const hint = `to start it again, which ends its sessions: ${stopCommand(view, id)}; the server starts it`;
    const message = 'runs without the filter of system calls: an older version has started it';
    yield { invariant: 'I3', object, message, hint };
  }
  const strays = listStrays(processes, postmaster);
  if (strays.length === 0) return;
  const pids = strays.map(({ pid }) => pid).join(' ');
  yield {
    invariant: 'I3',
    object,
    message: `${describe(strays)} that its Postgres did not start`,
    hint: `look at it by ps -o pid,lstart,args ${pids}, then end it: kill -KILL ${pids}`,
  };
}

/** The server tries again every few minutes, which nobody would see by looking at what runs. */
function describeFailed(object: string, id: number): Finding {
  const hint = `the log of the server says why, as "instance cannot be started" with instanceId ${id}: mend that, or destroy it`;
  return { invariant: 'I3', object, message: 'has failed: its Postgres cannot be started', hint };
}

/** Those that do not descend from the postmaster: children of what it started count as its own. */
function listStrays(processes: readonly Process[], postmaster: Process): Process[] {
  const byPid = new Map(processes.map((process) => [process.pid, process]));
  const isOwn = (process: Process | undefined): boolean => {
    // A process id chain that runs in a circle was put together from two moments.
    for (let hops = 0; process && hops < byPid.size; hops++) {
      if (process.pid === postmaster.pid) return true;
      process = byPid.get(process.ppid);
    }
    return process?.pid === postmaster.pid;
  };
  return processes.filter((process) => !isOwn(process));
}

function describe(processes: readonly Process[]): string {
  const names = [...new Set(processes.map(({ name }) => name))].sort().slice(0, 3).join(', ');
  return `${processes.length === 1 ? 'a process' : 'processes'} (${names})`;
}

function stopCommand({ scriptsPath }: View, id: number): string {
  return `sudo ${scriptsPath}/draupnir-stop-instance ${id}`;
}

function add(groups: Map<number, Process[]>, id: number, process: Process): void {
  const group = groups.get(id);
  if (group) group.push(process);
  else groups.set(id, [process]);
}
