import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './host.ts';
import type { Layout } from './layout.ts';

/** Stops every instance and ends every preparation; their data stays. The server must have been stopped. */
export async function stopAll(layout: Layout): Promise<void> {
  await runForEach(layout, 'instance_config', 'draupnir-stop-instance');
  await runForEach(layout, 'image_work', 'draupnir-tidy-image');
}

/** Runs a script with each id that has an entry in a folder of the volume. */
export async function runForEach(layout: Layout, folder: string, script: string): Promise<void> {
  const names = await readdir(join(layout.data, folder)).catch(() => []);
  // What others have put there goes with the volume.
  for (const id of names.filter((name) => /^[1-9][0-9]{0,8}$/.test(name))) {
    await run([join(layout.scripts, script), id]);
  }
}
