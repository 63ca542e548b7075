import type { Checked, Finding } from './finding.ts';
import type { Listener } from './inspection.ts';
import { findId, listProcessesOf, type SettledInstance, type View } from './view.ts';

/** From `min`, below `max`. */
export interface PortRange {
  readonly min: number;
  readonly max: number;
}

/** I4: listening ports in the range, but for those of the API, = ports of running records, no port twice. */
export function checkPorts(view: View, range: PortRange, apiPorts: readonly number[]): Checked {
  const { listeners, uids } = view.inspection;
  const byPort = new Map(view.instances.filter(({ runs }) => runs).map((each) => [each.port, each]));
  const findings: Finding[] = [];
  let count = 0;
  for (const listener of listeners) {
    const owner = findId(listener.uid, uids.instanceBase, uids.count);
    const inRange = listener.port >= range.min && listener.port < range.max;
    if (!inRange && owner === undefined) continue;
    count++;
    if (owner !== undefined && view.moving.instance.has(owner)) continue;
    const instance = byPort.get(listener.port);
    if (instance && isItsOwn(view, instance, listener)) continue;
    if (!instance && owner === undefined && apiPorts.includes(listener.port)) continue;
    findings.push(describeStranger(listener, instance, owner));
  }
  return { count, findings: [...findings, ...findMissing(view), ...findShared(view)] };
}

/** Draupnir 5.3 could give the same port to two instances, of which one alone can listen. */
function* findShared(view: View): Generator<Finding> {
  for (const { id, port, portTaken } of view.instances) {
    if (!portTaken) continue;
    const holder = view.instances.find((other) => other.port === port && !other.portTaken);
    yield {
      invariant: 'I4',
      object: `instance ${id}`,
      message: `its port ${port} belongs to ${holder ? `instance ${holder.id}` : 'another instance'}`,
      hint: `it cannot be started: destroy it, draupnir instances destroy ${id} with the shared secret`,
    };
  }
}

function isItsOwn({ inspection }: View, instance: SettledInstance, { uid }: Listener): boolean {
  return uid === (instance.adoptedUid ?? inspection.uids.instanceBase + instance.id);
}

function describeStranger(
  { port, family, uid }: Listener,
  instance: SettledInstance | undefined,
  owner: number | undefined,
): Finding {
  const who = owner === undefined ? `uid ${uid}` : `instance ${owner}`;
  const hint = `find out what it is by ss -ltnp 'sport = :${port}', and end it`;
  return {
    invariant: 'I4',
    object: `port ${port}`,
    message: instance
      ? `${who} listens on the port of instance ${instance.id}, IPv${family}`
      : `${who} listens on it, IPv${family}, and it is the port of no instance that runs`,
    hint,
  };
}

/** A running instance listens by both families; one without a process is told of by I3. */
function* findMissing(view: View): Generator<Finding> {
  const { listeners, hasIpv6 } = view.inspection;
  for (const instance of view.instances) {
    if (!instance.runs || listProcessesOf(view, instance).length === 0) continue;
    for (const family of hasIpv6 ? ([4, 6] as const) : ([4] as const)) {
      const listens = listeners.some(
        (each) => each.port === instance.port && each.family === family && isItsOwn(view, instance, each),
      );
      if (listens) continue;
      yield {
        invariant: 'I4',
        object: `instance ${instance.id}`,
        message: `does not listen on port ${instance.port}, IPv${family}`,
        ...(instance.adoptedUid === undefined
          ? {
              hint: 'end what else listens there, then run draupnir doctor --fix, which starts it anew',
              repair: { action: 'restart-instance', id: instance.id } as const,
            }
          : { hint: 'destroy it and create another' }),
      };
    }
  }
}
