import { createInterface } from 'node:readline/promises';
import type { ApiClient } from './api-client.ts';
import type { OwnedByUser } from './documents.ts';
import { CliError } from './failure.ts';
import { printNotice, stripControls } from './output.ts';
import { withSpinner } from './spinner.ts';

/**
 * Asks at the terminal before an image with instances of users is destroyed. Throws `CliError` unless the answer is
 * yes. Without such instances it does not ask.
 */
export async function confirmDestruction(client: ApiClient, imageId: number): Promise<void> {
  const instances = await withSpinner(`looking for instances of image ${imageId}`, () =>
    client.listInstancesOfImage(imageId),
  );
  if (instances.length === 0) return;
  for (const line of describeInstances(imageId, instances)) printNotice(line);
  if (await ask(`destroy image ${imageId} and ${countInstances(instances.length)}? [y/N] `)) return;
  throw new CliError('nothing was destroyed', { hint: '--yes does not ask' });
}

/** How many instances an image has, and how many of them each owner. */
export function describeInstances(imageId: number, instances: readonly OwnedByUser[]): string[] {
  const owners = [...Map.groupBy(instances, ({ owner }) => owner)].map(([owner, { length }]) => ({
    owner,
    length,
  }));
  owners.sort((a, b) => b.length - a.length || a.owner.localeCompare(b.owner));
  return [
    `destroying image ${imageId} also destroys ${countInstances(instances.length)}:`,
    ...owners.map(({ owner, length }) => `  ${owner}: ${length}`),
  ];
}

function countInstances(count: number): string {
  return count === 1 ? '1 instance' : `${count} instances`;
}

/** Only y and yes mean yes; the end of the input means no. */
async function ask(question: string): Promise<boolean> {
  // Not as a terminal: that would keep Ctrl-C from ending the process.
  const lines = createInterface({ input: process.stdin, terminal: false });
  process.stderr.write(stripControls(question));
  try {
    for await (const line of lines) return /^\s*y(es)?\s*$/i.test(line);
    return false;
  } finally {
    lines.close();
    process.stdin.pause();
  }
}
