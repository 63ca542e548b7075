import type { Command } from 'commander';
import { parseId } from '../arguments.ts';
import { openCommandSession } from '../command-session.ts';
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
      printData(await prepareExports(await client.getInstance(id), settings.database));
    });
}
