import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { parseId } from '../arguments.ts';
import { openCommandSession } from '../command-session.ts';
import { withConsequence } from '../interruption.ts';
import { nameInOutputFailure } from '../output-failure.ts';
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
  const lines = process.stdout.isTTY ? await listForTerminal(client) : await listForScripts(client);
  for (const line of lines) printData(line);
  if (lines.length === 0) printNotice('you have no instances; eval "$(draupnir new)" creates one');
}

async function listForScripts(client: ApiClient): Promise<string[]> {
  return (await client.listInstances()).map(formatInstance);
}

async function listForTerminal(client: ApiClient): Promise<string[]> {
  const { formatInstanceTable } = await import('../status.ts');
  const instances = await client.listInstancesWithStatus();
  return instances.length === 0 ? [] : formatInstanceTable(instances);
}

async function createInstance(
  imageId: number | undefined,
  _options: unknown,
  command: Command,
): Promise<void> {
  const { client } = await openCommandSession(command);
  const { createInstanceOf } = await import('../create-instance.ts');
  const instance = await createInstanceOf(client, imageId);
  nameInOutputFailure(`created instance ${instance.id}`);
  printData(formatInstance(instance));
}

async function rotateInstance(id: number, _options: unknown, command: Command): Promise<void> {
  const { client } = await openCommandSession(command);
  const consequence = {
    text: `interrupted: the credentials of instance ${id} may have been replaced all the same`,
    hint: `for the valid ones: eval "$(draupnir env ${id})"`,
  };
  const rotate = () =>
    withSpinner(`replacing the credentials of instance ${id}`, () => client.rotateInstance(id));
  printData(formatInstance(await withConsequence(consequence, rotate)));
  printNotice('the old credentials are useless now, and sessions that used them have ended');
  printNotice(`for the new ones: eval "$(draupnir env ${id})"`);
}

async function destroyInstance(id: number, _options: unknown, command: Command): Promise<void> {
  const { client } = await openCommandSession(command);
  const consequence = {
    text: `interrupted: the server may go on to destroy instance ${id}`,
    hint: 'draupnir instances list shows whether it exists',
  };
  await withConsequence(consequence, () =>
    withSpinner(`destroying instance ${id}`, () => client.destroyInstance(id)),
  );
  printNotice(`destroyed instance ${id}`);
}
