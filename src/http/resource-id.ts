import type { FastifyRequest } from 'fastify';
import { DomainError } from '../core/errors.ts';

/** Ids that can exist; the same pattern guards the scripts. */
const ID = /^[1-9][0-9]{0,8}$/;

/** The id in the path. Throws `not_found` for what cannot be one, such as ` 7 `, `0x10` or `1e3`. */
export function getId(request: FastifyRequest): number {
  const id = parseId((request.params as { id?: unknown }).id);
  if (id === undefined) throw new DomainError('not_found', 'no such resource');
  return id;
}

/** The number behind a well-formed id, or undefined. */
export function parseId(value: unknown): number | undefined {
  return typeof value === 'string' && ID.test(value) ? Number(value) : undefined;
}
