import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../core/errors.ts';

/** Attribute names of a resource type, by the moment they are sent. */
export interface Fields {
  type: string;
  /** The frozen set of the contract. */
  standard: readonly string[];
  /** Those that only a request that names them is sent. */
  onRequest: readonly string[];
}

/**
 * A hook that answers 400 when the request names a field there is not. Before anything is done: an instance must not be made
 * for a request that is then refused.
 */
export function requireKnownFields({ type, standard, onRequest }: Fields) {
  const known = [...standard, ...onRequest].sort();
  return (request: FastifyRequest, _reply: FastifyReply, next: (error?: Error) => void): void => {
    const unknown = listNames(request, type)?.some((name) => !known.includes(name));
    next(
      unknown ? new DomainError('unknown_field', `fields[${type}] may name ${known.join(', ')}`) : undefined,
    );
  };
}

/** Whether a request asks for a field by its name. */
export function namesField(request: FastifyRequest, { type }: Fields, name: string): boolean {
  return listNames(request, type)?.includes(name) ?? false;
}

/**
 * The attributes to send of all there are: the frozen set, or exactly those that the request names, as
 * `fields[images]=ready,status` does (JSON:API 1.1, "Sparse Fieldsets").
 */
export function selectAttributes(
  request: FastifyRequest,
  { type, standard }: Fields,
  all: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const names = listNames(request, type) ?? standard;
  const selected: Record<string, unknown> = {};
  for (const name of names) selected[name] = all[name];
  return selected;
}

/** The names a request gives; a parameter that stands there twice counts as one. */
function listNames(request: FastifyRequest, type: string): string[] | undefined {
  const asked = (request.query as Record<string, string | string[] | undefined>)[`fields[${type}]`];
  if (asked === undefined) return undefined;
  return String(asked)
    .split(',')
    .filter((name) => name !== '');
}
