import type { Command } from 'commander';
import { openCommandSession } from '../command-session.ts';
import { warnOfClock } from '../clock-warning.ts';
import { printData, printNotice } from '../output.ts';

/** Adds `draupnir new`. */
export function addNewCommand(program: Command): void {
  program
    .command('new')
    .description(
      'create an instance of the latest image and print its environment: eval "$(draupnir new)" && psql',
    )
    .action(async (_options: unknown, command: Command) => {
      const { createInstanceOf } = await import('../create-instance.ts');
      const { prepareExports } = await import('../environment.ts');
      const { client, settings } = await openCommandSession(command);
      const instance = await createInstanceOf(client, undefined);
      // Said before anything else can fail, so that the instance is not lost track of.
      printNotice(`created instance ${instance.id}`);
      warnOfClock(client.clockAheadMs);
      printData(await prepareExports(instance, settings.database));
    });
}
