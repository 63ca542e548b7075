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
 * What the installation has for itself: what an earlier run gave it; at first, and with `renumber`, what
 * others do not have.
 */
export async function planInstallation(
  layout: Layout,
  { own, others }: Neighbourhood,
  { renumber }: { renumber: boolean },
): Promise<Plan> {
  const text = await findHostConf(layout);
  const choose = async (): Promise<Numbers> => chooseNumbers(others, await listListeningPorts());
  const hostConf =
    text === undefined || !own
      ? createHostConf(layout, await choose())
      : renumber
        ? renumberHostConf(text, await choose())
        : completeHostConf(text, own, layout);
  const ports = {
    from: parseSetting(hostConf, 'MIN_INSTANCE_PORT'),
    to: parseSetting(hostConf, 'MAX_INSTANCE_PORT') - 1,
  };
  const earlier = renumber ? undefined : own?.apiPort;
  return { hostConf, instancePorts: ports, apiPort: earlier ?? (await chooseApiPort(others)) };
}
