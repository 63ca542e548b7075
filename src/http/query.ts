import type { FastifyRequest } from 'fastify';

/** The value of a query parameter; undefined when it is missing, empty or given several times. */
export function getQueryText(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Record<string, unknown>)[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
