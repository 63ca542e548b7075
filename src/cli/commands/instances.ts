import type { Command } from 'commander';
import { parseId } from '../arguments.ts';
import { openCommandSession } from '../command-session.ts';
import { formatInstance, printData, printNotice } from '../output.ts';
import { withSpinner } from '../spinner.ts';

/** Adds `draupnir instances`. */
export function addInstancesCommands(program: Command): void {
  const instances = program.command('instances').description('manage your instances');
  instances.command('list').description('list your instances').action(listInstances);
  instances
    .command('create')
    .description('create an instance')
    .argument('[image-id]', 'image to make it of (default: the latest that is ready)', parseId)
    .action(createInstance);
  instances
    .command('rotate')
    .description('give an instance new credentials and make the old ones useless')
    .argument('<id>', 'id of the instance', parseId)
    .action(rotateInstance);
  instances
    .command('destroy')
    .description('destroy an instance')
    .argument('<id>', 'id of the instance', parseId)
    .action(destroyInstance);
}

async function listInstances(_options: unknown, command: Command): Promise<void> {
  const { client } = await openCommandSession(command);
  for (const instance of await client.listInstances()) printData(formatInstance(instance));
}

async function createInstance(
  imageId: number | undefined,
  _options: unknown,
  command: Command,
): Promise<void> {
  const { client } = await openCommandSession(command);
  const { createInstanceOf } = await import('../create-instance.ts');
  printData(formatInstance(await createInstanceOf(client, imageId)));
}

async function rotateInstance(id: number, _options: unknown, command: Command): Promise<void> {
  const { client } = await openCommandSession(command);
  const text = `replacing the credentials of instance ${id}`;
  printData(formatInstance(await withSpinner(text, () => client.rotateInstance(id))));
  printNotice('the old credentials are useless now, and sessions that used them have ended');
  printNotice(`for the new ones: eval "$(draupnir env ${id})"`);
}

async function destroyInstance(id: number, _options: unknown, command: Command): Promise<void> {
  const { client } = await openCommandSession(command);
  await withSpinner(`destroying instance ${id}`, () => client.destroyInstance(id));
  printNotice(`destroyed instance ${id}`);
}
