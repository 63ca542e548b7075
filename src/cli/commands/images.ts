import type { Command } from 'commander';
import { parseBackedUpAt, parseId } from '../arguments.ts';
import { openCommandSession } from '../command-session.ts';
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
    .action(finaliseImage);
  images
    .command('destroy')
    .description('destroy an image')
    .argument('<id>', 'id of the image', parseId)
    .action(destroyImage);
}

async function listImages(_options: unknown, command: Command): Promise<void> {
  const { client } = await openCommandSession(command);
  for (const image of await client.listImages()) printData(formatImage(image));
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
  printData(formatImage(await withSpinner('creating the image', create)));
}

async function finaliseImage(id: number, _options: unknown, command: Command): Promise<void> {
  const { client } = await openCommandSession(command);
  printData(formatImage(await withSpinner(`finalising image ${id}`, () => client.finaliseImage(id))));
}

async function destroyImage(id: number, _options: unknown, command: Command): Promise<void> {
  const { client } = await openCommandSession(command);
  await withSpinner(`destroying image ${id}`, () => client.destroyImage(id));
  printNotice(`destroyed image ${id}`);
}
