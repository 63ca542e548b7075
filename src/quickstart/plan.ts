import { findOverlaps } from '../core/host-installation.ts';
import {
  parseSetting,
  completeHostConf,
  createHostConf,
  findHostConf,
  renumberHostConf,
} from './host-conf.ts';
import type { Plan } from './installation.ts';
import type { Layout } from './layout.ts';
import type { Neighbourhood } from './neighbours.ts';
import { chooseNumbers, type Numbers } from './numbers.ts';
import { chooseApiPort, listListeningPorts } from './ports.ts';

/**
 * What the installation has for itself: what an earlier run gave it; at first, and with `renumber` where it
 * shares something, what others do not have.
 */
export async function planInstallation(
  layout: Layout,
  { own, others }: Neighbourhood,
  { renumber }: { renumber: boolean },
): Promise<Plan> {
  const text = await findHostConf(layout);
  const isShared = own !== undefined && others.some((other) => findOverlaps(own, other).length > 0);
  const isRenumbered = renumber && isShared;
  const choose = async (): Promise<Numbers> => chooseNumbers(others, await listListeningPorts());
  const hostConf =
    text === undefined || !own
      ? createHostConf(layout, await choose())
      : isRenumbered
        ? renumberHostConf(text, await choose())
        : completeHostConf(text, own);
  const ports = {
    from: parseSetting(hostConf, 'MIN_INSTANCE_PORT'),
    to: parseSetting(hostConf, 'MAX_INSTANCE_PORT') - 1,
  };
  const earlier = isRenumbered ? undefined : own?.apiPort;
  return { hostConf, instancePorts: ports, apiPort: earlier ?? (await chooseApiPort(others)) };
}
