import { mkdir, open, stat } from 'node:fs/promises';
import { run, succeeds } from './host.ts';
import type { Layout } from './layout.ts';

/** Size of the volume's file, in bytes. It is sparse: it takes what is written to it. */
const VOLUME_BYTES = 40 * 1024 ** 3;

/** Makes and mounts the btrfs volume; one that exists is mounted again. */
export async function mountVolume(layout: Layout): Promise<void> {
  await mkdir(layout.data, { recursive: true });
  if (await isMounted(layout)) return;
  if (!(await exists(layout.volume))) {
    // A volume whose making was interrupted must not be taken for a whole one: it gets its name last.
    const draft = `${layout.volume}.new`;
    const file = await open(draft, 'w', 0o600);
    await file.truncate(VOLUME_BYTES);
    await file.close();
    await run(['mkfs.btrfs', '-q', '-f', draft]);
    await run(['mv', draft, layout.volume]);
  }
  await run(['mount', '-o', 'loop,nodev,nosuid,noexec,noatime', layout.volume, layout.data]);
}

export async function unmountVolume(layout: Layout): Promise<void> {
  while (await isMounted(layout)) await run(['umount', layout.data]);
}

/** Whether a file system is mounted where the data is. */
export function isMounted(layout: Pick<Layout, 'data'>): Promise<boolean> {
  return succeeds(['mountpoint', '-q', layout.data]);
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
