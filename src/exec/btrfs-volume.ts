import { constants } from 'node:fs';
import type { StatsFs } from 'node:fs';
import { access, lstat, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '../core/errors.ts';
import type { Volume } from '../core/volume.ts';
import { readAllocation } from './btrfs-allocation.ts';

/** Type of a btrfs file system (statfs(2), BTRFS_SUPER_MAGIC). */
const BTRFS = 0x9123683e;
/** The root of a btrfs subvolume always has this inode (btrfs-subvolume(8)). */
const SUBVOLUME_ROOT = 256;
/**
 * An ordinary directory on btrfs will do once it has these, as for the scripts: a mount point without its
 * volume has none.
 */
const FOLDERS = ['image_uploads', 'image_snapshots', 'instances'];
const GIB = 2 ** 30;
/** By default 5 % of the volume, or 10 GiB, whichever is less, stays free. */
const DEFAULT_SHARE = 0.05;
const DEFAULT_LIMIT = 10 * GIB;
/** With less left in its chunks of data, a volume is simply full, and a balance has nothing to give back. */
const LEAST_DATA = 64 * 2 ** 20;

/** `storage_unavailable`, with the reason alone for the operator, who is not to be told to tell the operator. */
export class VolumeError extends DomainError {
  readonly reason: string;

  constructor(reason: string, options: ErrorOptions) {
    super('storage_unavailable', `the data path ${reason}; tell the operator`, options);
    this.reason = reason;
  }
}

/** The btrfs volume at the data path. */
export class BtrfsVolume implements Volume {
  readonly #path: string;
  readonly #minFreeBytes: number | undefined;

  /** `minFreeBytes`: what must stay free; 0 asks for nothing. */
  constructor(path: string, minFreeBytes?: number) {
    this.#path = path;
    this.#minFreeBytes = minFreeBytes;
  }

  async requireMounted(): Promise<void> {
    await this.#look();
  }

  async requireSpace(): Promise<void> {
    const { bsize, blocks, bavail } = await this.#look();
    const wanted = this.#minFreeBytes ?? Math.min(blocks * bsize * DEFAULT_SHARE, DEFAULT_LIMIT);
    // Of a volume whose metadata cannot grow, btrfs says that no block is available (btrfs_statfs in fs/btrfs/super.c).
    if (bavail === 0) await this.#requireMetadata();
    const missing = wanted - bavail * bsize;
    if (missing <= 0) return;
    const hint = 'destroy images or instances that nobody needs';
    throw new DomainError('insufficient_disk', `the volume lacks ${formatSize(missing)}: ${hint}`);
  }

  async #requireMetadata(): Promise<void> {
    const allocation = await readAllocation(this.#path);
    if (allocation === undefined || allocation.dataFreeBytes < LEAST_DATA) return;
    const free = `though ${formatSize(allocation.dataFreeBytes)} are free for data`;
    const hint = `tell the operator to run: btrfs balance start -dusage=50 ${this.#path}`;
    throw new DomainError('insufficient_disk', `the volume has no space for metadata, ${free}; ${hint}`);
  }

  /** Its size, and what is left of it, in bytes. Throws `storage_unavailable`. */
  async measure(): Promise<{ freeBytes: number; totalBytes: number }> {
    const { bsize, blocks, bavail } = await this.#look();
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  }

  async #look(): Promise<StatsFs> {
    const stats = await statfs(this.#path).catch((cause: unknown) => {
      throw unavailable('cannot be read', cause);
    });
    if (stats.type !== BTRFS) throw unavailable('is not on btrfs: is the volume mounted?');
    const root = await lstat(this.#path);
    // The scripts write below no link.
    if (root.isSymbolicLink()) throw unavailable('is a symbolic link: name the directory that it leads to');
    if (root.ino !== SUBVOLUME_ROOT && !(await hasFolders(this.#path))) {
      const reason = `is neither a btrfs subvolume nor a directory with the folders ${FOLDERS.join(', ')}`;
      throw unavailable(`${reason}: is the volume mounted?`);
    }
    // That we may not write there is told apart, and after, that nobody may (access(2), EROFS).
    await access(this.#path, constants.W_OK).catch((error: unknown) => {
      if (isReadOnly(error)) throw unavailable('is mounted read-only', error);
    });
    return stats;
  }
}

async function hasFolders(path: string): Promise<boolean> {
  const found = await Promise.all(FOLDERS.map((name) => stat(join(path, name)).catch(() => undefined)));
  return found.every((folder) => folder?.isDirectory());
}

function isReadOnly(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EROFS';
}

function unavailable(reason: string, cause?: unknown): VolumeError {
  return new VolumeError(reason, { cause });
}

/** In MiB or GiB, rounded up. */
function formatSize(bytes: number): string {
  return bytes < GIB
    ? `${Math.ceil(bytes / 2 ** 20)} MiB`
    : `${(Math.ceil((bytes / GIB) * 10) / 10).toFixed(1)} GiB`;
}
