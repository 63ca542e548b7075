import type { ApiClient } from './api-client.ts';
import type { OwnedInstance } from './documents.ts';
import { CliError } from './failure.ts';
import { withSpinner } from './spinner.ts';

/** Creates an instance of an image, or of the latest image that is ready. Throws `CliError`. */
export async function createInstanceOf(
  client: ApiClient,
  imageId: number | undefined,
): Promise<OwnedInstance> {
  return await withSpinner('creating the instance', async () => {
    return await client.createInstance(imageId ?? (await getLatestImageId(client)));
  });
}

async function getLatestImageId(client: ApiClient): Promise<number> {
  const image = await client.findLatestImage();
  if (image !== undefined) return image.id;
  throw new CliError('no image is ready', {
    hint: 'draupnir images list shows what there is; an image is ready once it is finalised',
  });
}
