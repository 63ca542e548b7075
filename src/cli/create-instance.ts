import type { ApiClient } from './api-client.ts';
import type { OwnedInstance } from './documents.ts';
import { CliError } from './failure.ts';
import { withConsequence } from './interruption.ts';
import { withSpinner } from './spinner.ts';

/** The server finishes what it has begun when its client hangs up. */
const INTERRUPTED = {
  text: 'interrupted: the server may have created an instance all the same',
  hint: 'draupnir instances list shows it, draupnir instances destroy ID removes it',
};

/** Creates an instance of an image, or of the latest image that is ready. Throws `CliError`. */
export async function createInstanceOf(
  client: ApiClient,
  imageId: number | undefined,
): Promise<OwnedInstance> {
  const id = imageId ?? (await getLatestImageId(client));
  // The spinner ends first: what is reported begins a line of its own.
  return await withConsequence(INTERRUPTED, () =>
    withSpinner('creating the instance', () => client.createInstance(id)),
  );
}

async function getLatestImageId(client: ApiClient): Promise<number> {
  const image = await withSpinner('looking for the latest image', () => client.findLatestImage());
  if (image !== undefined) return image.id;
  throw new CliError('no image is ready', {
    hint: 'draupnir images list shows what there is; an image is ready once it is finalised',
  });
}
