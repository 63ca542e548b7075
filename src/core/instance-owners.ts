import type { Caller } from './caller.ts';
import { DomainError } from './errors.ts';
import { NOBODY } from './instance.ts';
import type { Instance } from './instance.ts';

/**
 * The instances that belong to users, by the id of their image; warm ones belong to none. Only the upload user may know
 * whose they are: throws `forbidden`.
 */
export function groupByImage(caller: Caller, instances: readonly Instance[]): Map<number, Instance[]> {
  if (caller.role !== 'upload') {
    throw new DomainError('forbidden', 'only the upload user may see which instances an image has');
  }
  const owned = instances.filter(({ status, userEmail }) => userEmail !== NOBODY && status !== 'destroying');
  return Map.groupBy(owned, ({ imageId }) => imageId);
}
