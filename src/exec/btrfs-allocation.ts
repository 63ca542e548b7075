import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { findMount, readMountTable } from './mount-table.ts';

const SYSFS = '/sys/fs/btrfs';
/** sysfs counts the sizes of devices in sectors of 512 bytes, whatever the device uses. */
const SECTOR_BYTES = 512;
/** With less than this beside the reserve, btrfs has no space for metadata (btrfs_statfs in fs/btrfs/super.c). */
const THRESHOLD_BYTES = 4 * 2 ** 20;

/** How a btrfs volume is divided, in bytes: chunks of it are allocated to data or to metadata (btrfs(5)). */
export interface Allocation {
  /** Free in the chunks of data. */
  dataFreeBytes: number;
  /** Size of the chunks of metadata, copies not counted. */
  metadataBytes: number;
  /** Free in these, without what btrfs keeps to itself. */
  metadataFreeBytes: number;
  /** Allocated to nothing yet. */
  unallocatedBytes: number;
}

/** Reads the allocation of the volume at a path, as sysfs shows it to every user; undefined where it does not. */
export async function readAllocation(path: string): Promise<Allocation | undefined> {
  try {
    const folder = await findFolder(path);
    if (folder === undefined) return undefined;
    const read = async (...names: string[]): Promise<number> =>
      Number(await readFile(join(folder, ...names), 'utf8'));
    const kinds = ['data', 'metadata', 'system'] as const;
    const [dataBytes, dataUsed, metadataBytes, metadataUsed, reserve, ...onDisk] = await Promise.all([
      read('allocation/data/total_bytes'),
      read('allocation/data/bytes_used'),
      read('allocation/metadata/total_bytes'),
      read('allocation/metadata/bytes_used'),
      read('allocation/global_rsv_size'),
      ...kinds.map((kind) => read('allocation', kind, 'disk_total')),
    ]);
    const devices = await readdir(join(folder, 'devices'));
    const sectors = await Promise.all(devices.map((device) => read('devices', device, 'size')));
    return {
      dataFreeBytes: dataBytes - dataUsed,
      metadataBytes,
      metadataFreeBytes: Math.max(0, metadataBytes - metadataUsed - reserve - THRESHOLD_BYTES),
      unallocatedBytes: sum(sectors) * SECTOR_BYTES - sum(onDisk),
    };
  } catch (error) {
    // Containers may have no sysfs, or only a part of it.
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

/** The folder of the file system, which is called by its UUID and lists the devices. */
async function findFolder(path: string): Promise<string | undefined> {
  const mount = findMount(await readMountTable(), path);
  if (mount === undefined) return undefined;
  const device = basename(await realpath(mount.source));
  for (const name of await readdir(SYSFS)) {
    const devices = await readdir(join(SYSFS, name, 'devices')).catch((): string[] => []);
    if (devices.includes(device)) return join(SYSFS, name);
  }
  return undefined;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
