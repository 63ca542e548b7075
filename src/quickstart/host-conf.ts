import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostInstallation } from '../core/host-installation.ts';
import type { Layout } from './layout.ts';
import type { Numbers } from './numbers.ts';
import { POSTGRES_ROOT } from './postgres-programs.ts';

/** The file beside the scripts that says what is this installation's own. */
export function getHostConfPath(layout: Layout): string {
  return join(layout.scripts, 'host.conf');
}

/** Its text; undefined when there is none. */
export async function findHostConf(layout: Layout): Promise<string | undefined> {
  return readFile(getHostConfPath(layout), 'utf8').catch(() => undefined);
}

/** The text of a new installation's. */
export function createHostConf(layout: Layout, numbers: Numbers): string {
  return formatSettings({
    DATA_PATH: layout.data,
    RUN_PATH: layout.run,
    POSTGRES_ROOT,
    PROGRAM: layout.program,
    UPLOAD_USER: layout.uploadUser,
    ...numbers,
  });
}

/**
 * The text as it was, since data on the volume belongs to its numbers and the operator may have changed it,
 * with what earlier versions did not set.
 */
export function completeHostConf(text: string, own: HostInstallation, layout: Layout): string {
  const ports = own.instancePorts ?? { from: 16_432, to: 16_631 };
  const expected = {
    PROGRAM: layout.program,
    UID_COUNT: own.instanceUids.to - own.instanceUids.from + 1,
    MIN_INSTANCE_PORT: ports.from,
    MAX_INSTANCE_PORT: ports.to + 1,
  };
  const missing = Object.entries(expected).filter(([key]) => !new RegExp(`^${key}=`, 'm').test(text));
  return endLine(text) + formatSettings(Object.fromEntries(missing));
}

/** The text with other numbers. Control groups stay below CGROUP: they are named after numeric users. */
export function renumberHostConf(text: string, numbers: Numbers): string {
  const changed = Object.entries(numbers).filter(([key]) => key !== 'CGROUP');
  const keys = changed.map(([key]) => key).join('|');
  return (
    endLine(text.replaceAll(new RegExp(`^(${keys})=.*\n?`, 'gm'), '')) +
    formatSettings(Object.fromEntries(changed))
  );
}

/** A number that the text sets; bash takes the last one as well. */
export function parseSetting(text: string, key: string): number {
  return Number([...text.matchAll(new RegExp(`^${key}=["']?([0-9]+)`, 'gm'))].at(-1)?.[1]);
}

function formatSettings(settings: Readonly<Record<string, string | number>>): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

function endLine(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
