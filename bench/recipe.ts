import { join } from 'node:path';
import { run } from '../spec/e2e/support/command.ts';
import type { Workbench } from './workbench.ts';

const SCRIPT = join(import.meta.dirname, 'recipe.sh');

/** Makes an instance by the steps of Draupnir 5.3; resolves to what removes it. */
export async function runRecipe({ floor, installation, imageId }: Workbench): Promise<() => Promise<void>> {
  const port = floor.takePort();
  const data = floor.createPath();
  const image = join(installation.data, 'image_snapshots', String(imageId));
  await run([SCRIPT, image, data, floor.conf, floor.postgres, String(floor.uid), String(port)]);
  return async () => {
    const drop = ['setpriv', `--reuid=${floor.uid}`, `--regid=${floor.uid}`, '--clear-groups', '--'];
    await run([...drop, join(floor.postgres, 'pg_ctl'), '-D', data, '-m', 'immediate', '-s', 'stop']);
    await floor.deleteSnapshot(data);
    floor.returnPort(port);
  };
}
