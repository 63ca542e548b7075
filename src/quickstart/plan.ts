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
import { chooseNumbers } from './numbers.ts';
import { chooseApiPort } from './ports.ts';

/**
 * What the installation has for itself: what an earlier run gave it, or with `renumber` and at first what
 * others do not have.
 */
export async function planInstallation(
  layout: Layout,
  { own, others }: Neighbourhood,
  { renumber }: { renumber: boolean },
): Promise<Plan> {
  const text = await findHostConf(layout);
  const hostConf =
    text === undefined || !own
      ? createHostConf(layout, chooseNumbers(others))
      : renumber
        ? renumberHostConf(text, others)
        : completeHostConf(text, own);
  const ports = {
    from: parseSetting(hostConf, 'MIN_INSTANCE_PORT'),
    to: parseSetting(hostConf, 'MAX_INSTANCE_PORT') - 1,
  };
  const earlier = renumber ? undefined : own?.apiPort;
  return { hostConf, instancePorts: ports, apiPort: earlier ?? (await chooseApiPort(others)) };
}
