import type { FastifyInstance } from 'fastify';
import type { RouteParts } from '../app.ts';
import { sendJson } from '../answer.ts';
import { requireKnownFields } from '../fields.ts';
import { getCaller, getClientAddress, requireCaller, requireVersion } from '../identity.ts';
import { registerResource } from '../resource.ts';
import { getId } from '../resource-id.ts';
import { INSTANCE_FIELDS, toDocument } from './instances.ts';

/** `/instances/:id/credentials`: a new set makes the one before useless. Any body is taken and ignored. */
export function registerInstanceCredentials(app: FastifyInstance, parts: RouteParts): void {
  const { credentials, publicHostname } = parts;
  const guards = [
    requireVersion(parts.versionCheck),
    requireCaller(parts),
    requireKnownFields(INSTANCE_FIELDS),
  ];
  registerResource(app, '/instances/:id/credentials', guards, {
    POST: async (request, reply) => {
      const address = getClientAddress(parts, request);
      const rotated = await credentials.rotate(getCaller(request), getId(request), address);
      return sendJson(reply.code(201), toDocument(request, rotated, publicHostname));
    },
  });
}
