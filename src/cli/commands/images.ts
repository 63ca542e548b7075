import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { parseBackedUpAt, parseId } from '../arguments.ts';
import { openCommandSession } from '../command-session.ts';
import { CliError } from '../failure.ts';
import { withConsequence } from '../interruption.ts';
import { nameInOutputFailure } from '../output-failure.ts';
import { formatImage, printData, printNotice } from '../output.ts';
import { withSpinner } from '../spinner.ts';

/** Adds `draupnir images`. */
export function addImagesCommands(program: Command): void {
  const images = program.command('images').description('manage images');
  images.command('list').description('list the images').action(listImages);
  images
    .command('create')
    .description('create an image, to be uploaded and finalised')
    .argument('<backed-up-at>', 'when the backup was made, such as 2017-05-01T12:00:00Z', parseBackedUpAt)
    .argument('<anon.sql>', 'file of SQL that anonymises the data (- reads from stdin)')
    .option('--verify <verify.sql>', 'file of queries that must return no rows afterwards')
    .action(createImage);
  images
    .command('finalise')
    .description('anonymise an uploaded image and make it ready')
    .argument('<id>', 'id of the image', parseId)
    .option('--anonymise <anon.sql>', 'correct the script first: file of SQL that anonymises the data')
    .option('--verify <verify.sql>', 'correct the queries first: file of queries that must return no rows')
    .action(finaliseImage);
  images
    .command('destroy')
    .description('destroy an image and its instances; asks on a terminal when users have some')
    .argument('<id>', 'id of the image', parseId)
    .option('--yes', 'do not ask')
    .action(destroyImage);
}

async function listImages(_options: unknown, command: Command): Promise<void> {
  const { client } = await openCommandSession(command);
  const lines = process.stdout.isTTY ? await listForTerminal(client) : await listForScripts(client);
  for (const line of lines) printData(line);
  if (lines.length === 0) printNotice('there are no images yet; draupnir images create makes one');
}

async function listForScripts(client: ApiClient): Promise<string[]> {
  return (await client.listImages()).map(formatImage);
}

async function listForTerminal(client: ApiClient): Promise<string[]> {
  const { formatImageTable } = await import('../status.ts');
  const images = await client.listImagesWithStatus();
  return images.length === 0 ? [] : formatImageTable(images);
}

async function createImage(
  backedUpAt: string,
  file: string,
  options: { verify?: string },
  command: Command,
): Promise<void> {
  const { client } = await openCommandSession(command);
  const { readScript } = await import('../anonymisation-script.ts');
  const script = await readScript(file);
  const verification = options.verify === undefined ? undefined : await readScript(options.verify);
  const create = () => client.createImage(backedUpAt, script, verification);
  const consequence = {
    text: 'interrupted: the server may have created the image all the same',
    hint: 'draupnir images list shows it, draupnir images destroy ID removes it',
  };
  const image = await withConsequence(consequence, () => withSpinner('creating the image', create));
  nameInOutputFailure(`created image ${image.id}`);
  printData(formatImage(image));
}

async function finaliseImage(
  id: number,
  options: { anonymise?: string; verify?: string },
  command: Command,
): Promise<void> {
  const { client } = await openCommandSession(command);
  await correctScripts(client, id, options);
  const finalise = () => withSpinner(`finalising image ${id}`, () => client.finaliseImage(id));
  const consequence = {
    text: 'interrupted: the server goes on with the image',
    hint: `draupnir images finalise ${id} waits for it again`,
  };
  printData(formatImage(await withConsequence(consequence, finalise)));
}

async function correctScripts(
  client: ApiClient,
  id: number,
  { anonymise, verify }: { anonymise?: string; verify?: string },
): Promise<void> {
  if (anonymise === undefined && verify === undefined) return;
  if (anonymise === '-' && verify === '-') {
    throw new CliError('only one of --anonymise and --verify can be read from stdin', {
      hint: 'name a file for the other',
    });
  }
  const { readScript } = await import('../anonymisation-script.ts');
  const scripts = {
    ...(anonymise !== undefined && { anonymisation: await readScript(anonymise) }),
    ...(verify !== undefined && { verification: await readScript(verify) }),
  };
  await withSpinner(`correcting image ${id}`, () => client.correctImage(id, scripts));
}

async function destroyImage(id: number, options: { yes?: boolean }, command: Command): Promise<void> {
  const { client } = await openCommandSession(command);
  if (options.yes !== true && process.stdin.isTTY && process.stderr.isTTY) {
    const { confirmDestruction } = await import('../confirm-destruction.ts');
    await confirmDestruction(client, id);
  }
  const consequence = {
    text: `interrupted: the server may go on to destroy image ${id}`,
    hint: 'draupnir images list shows whether it exists',
  };
  await withConsequence(consequence, () =>
    withSpinner(`destroying image ${id}`, () => client.destroyImage(id)),
  );
  printNotice(`destroyed image ${id}`);
}
