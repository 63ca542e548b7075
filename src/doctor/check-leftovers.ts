import { quoteWhenNeeded as quote } from '../cli/shell-quote.ts';
import type { Checked, Finding } from './finding.ts';
import type { Entry } from './inspection.ts';
import type { View } from './view.ts';

/** Files and folders beside the subvolumes: configuration and run files belong to what has a record. */
export function checkLeftovers(view: View): Checked {
  const findings: Finding[] = [];
  const { entries } = view.inspection;
  for (const entry of entries) findings.push(...checkEntry(view, entry));
  return { count: entries.length, findings: [...findings, ...findUnconfigured(view)] };
}

function* checkEntry(view: View, entry: Entry): Generator<Finding> {
  const { folder, name } = entry;
  if (folder === 'run_images') yield* checkRun(view, 'image', entry);
  else if (folder === 'run_instances') yield* checkRun(view, 'instance', entry);
  else if (folder === 'instance_config') yield* checkConfiguration(view, entry);
  else if (!entry.subvolume) {
    const path = quote(`${view.dataPath}/${folder}/${name}`);
    const hint = `look at it; if it is not needed: rm -r -- ${path}`;
    yield { invariant: 'leftovers', object: `${folder}/${name}`, message: 'is no subvolume', hint };
  }
}

/** Sockets, process ids and temporary files; a preparation has some as long as it goes on. */
function* checkRun(view: View, kind: 'image' | 'instance', { name }: Entry): Generator<Finding> {
  const id = getId(name.replace(/\.(pid|mounts)$/, ''));
  const object = `run file ${name}`;
  if (id === undefined) {
    const hint = 'remove it from RUN_PATH of host.conf if you know what it is';
    yield { invariant: 'leftovers', object, message: `is not of any ${kind}`, hint };
    return;
  }
  if (view.moving[kind].has(id) || (kind === 'instance' && view.known.instance.has(id))) return;
  const hasData = view.inspection.subvolumes.some(({ path }) => path === `instances/${id}`);
  const finding = {
    invariant: 'leftovers',
    object: `${kind} ${id}`,
    message: `run file ${name} is left`,
  } as const;
  if (kind === 'instance' && hasData) {
    yield { ...finding, hint: 'it belongs to data without a record: see there' };
  } else {
    const hint = 'run draupnir doctor --fix, which removes it';
    yield { ...finding, hint, repair: { action: `tidy-${kind}`, id } };
  }
}

function* checkConfiguration(view: View, { name, empty }: Entry): Generator<Finding> {
  const id = getId(name);
  if (id !== undefined && (view.known.instance.has(id) || view.moving.instance.has(id))) return;
  const object = id === undefined ? `instance_config/${name}` : `instance ${id}`;
  const finding = {
    invariant: 'leftovers',
    object,
    message: `configuration instance_config/${name} has no record`,
  } as const;
  const hasData = view.inspection.subvolumes.some(({ path }) => path === `instances/${name}`);
  if (empty && id !== undefined && !hasData) {
    const hint = 'run draupnir doctor --fix, which removes the empty directory';
    yield { ...finding, hint, repair: { action: 'tidy-instance', id } };
  } else if (id !== undefined) {
    const hint = `if nobody needs it: sudo ${quote(`${view.scriptsPath}/draupnir-destroy-instance`)} ${id}`;
    yield { ...finding, hint };
  } else {
    const hint = `look at it; if it is not needed: rm -r -- ${quote(`${view.dataPath}/instance_config/${name}`)}`;
    yield { ...finding, hint };
  }
}

/** What an instance of ours cannot start without. */
function* findUnconfigured(view: View): Generator<Finding> {
  const configured = new Set(
    view.inspection.entries.filter(({ folder }) => folder === 'instance_config').map(({ name }) => name),
  );
  for (const { id, adoptedUid } of view.instances) {
    if (adoptedUid !== undefined || configured.has(`${id}`)) continue;
    yield {
      invariant: 'leftovers',
      object: `instance ${id}`,
      message: `configuration instance_config/${id} is missing`,
      hint: 'it cannot be started again: destroy it and create another',
    };
  }
}

function getId(name: string): number | undefined {
  return /^[1-9][0-9]{0,8}$/.test(name) ? Number(name) : undefined;
}
