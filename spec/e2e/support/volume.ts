import { mkdir, open } from 'node:fs/promises';
import { run, runCommand } from './command.ts';
import type { Installation } from './installation.ts';
import { waitUntil } from './wait.ts';

/** Size of the volume's file, in bytes. It is sparse: it takes what is written to it. */
const VOLUME_BYTES = 20 * 1024 ** 3;

/** Makes and mounts a btrfs volume as an installation has it. */
export async function mountVolume({ volume, data }: Pick<Installation, 'volume' | 'data'>): Promise<void> {
  await mkdir(data);
  const file = await open(volume, 'wx', 0o600);
  await file.truncate(VOLUME_BYTES);
  await file.close();
  await run(['mkfs.btrfs', '-q', volume]);
  await remountVolume({ volume, data });
}

/** Mounts the volume that there is. */
export async function remountVolume({ volume, data }: Pick<Installation, 'volume' | 'data'>): Promise<void> {
  await run(['mount', '-o', 'loop,nodev,nosuid,noexec,noatime', volume, data]);
}

/** Unmounts it, as soon as nobody uses it any more. */
export async function unmountVolume(data: string): Promise<void> {
  await waitUntil(`${data} is unmounted`, async () => {
    if ((await runCommand(['mountpoint', '-q', data])).exitCode !== 0) return true;
    await runCommand(['umount', data]);
    return false;
  });
}
