import type { ListedImage, ListedInstance } from './documents.ts';
import { stripControls } from './output.ts';
import { formatTable } from './table.ts';
import { formatTime } from '../wire.ts';

/** The list of images for a terminal; scripts get the lines of the contract. */
export function formatImageTable(images: readonly ListedImage[]): string[] {
  return formatTable(
    ['ID', 'BACKED UP', 'STATUS'],
    images.map((image) => [String(image.id), formatTime(image.backedUpAt), describeImage(image)]),
  );
}

/** The list of instances for a terminal. */
export function formatInstanceTable(instances: readonly ListedInstance[]): string[] {
  return formatTable(
    ['ID', 'IMAGE', 'PORT', 'CREATED', 'STATUS'],
    instances.map((instance) => [
      ...[instance.id, instance.imageId, instance.port].map(String),
      formatTime(instance.createdAt),
      describe(instance.status, instance.failure),
    ]),
  );
}

function describeImage({ ready, status, failure, progress }: ListedImage): string {
  if (status === undefined) return ready ? 'ready' : 'not ready';
  if (progress === undefined) return describe(status, failure);
  const { step, number, of } = progress;
  return describe(status, number === 0 ? step : `${step} (step ${number} of ${of})`);
}

/** The reason is the server's text: it must not send the terminal commands. */
function describe(status = '', reason?: string): string {
  return stripControls(reason === undefined ? status : `${status}: ${reason}`);
}
