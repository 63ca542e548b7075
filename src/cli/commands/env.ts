import type { Command } from 'commander';
import { parseId } from '../arguments.ts';
import { openCommandSession } from '../command-session.ts';
import { warnOfClock } from '../clock-warning.ts';
import { printData } from '../output.ts';

/** Adds `draupnir env`. */
export function addEnvCommand(program: Command): void {
  program
    .command('env')
    .description('print the environment that connects to an instance: eval "$(draupnir env ID)" && psql')
    .argument('<id>', 'id of the instance', parseId)
    .action(async (id: number, _options: unknown, command: Command) => {
      const { prepareExports } = await import('../environment.ts');
      const { client, settings } = await openCommandSession(command);
      const instance = await client.getInstance(id);
      warnOfClock(client.clockAheadMs);
      printData(await prepareExports(instance, settings.database));
    });
}
