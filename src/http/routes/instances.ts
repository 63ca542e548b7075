import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { RouteParts } from '../app.ts';
import { noteObject } from '../audit.ts';
import { sendJson } from '../answer.ts';
import { withAttributes } from '../body.ts';
import { DomainError } from '../../core/errors.ts';
import type { Instance } from '../../core/instance.ts';
import type { InstanceWithCredentials } from '../../core/instances.ts';
import { formatTime } from '../../wire.ts';
import type { CredentialsResource, InstanceResource } from '../../wire.ts';
import { requireKnownFields, selectAttributes } from '../fields.ts';
import type { Fields } from '../fields.ts';
import { getCaller, getClientAddress, requireCaller, requireVersion } from '../identity.ts';
import { registerResource } from '../resource.ts';
import { getId, parseId } from '../resource-id.ts';

/** Which image it is, is checked apart: the contract has an answer of its own for a bad id. */
const NewInstance = Type.Object({ image_id: Type.Unknown() });

/** Attributes of instances. */
export const INSTANCE_FIELDS: Fields = {
  type: 'instances',
  standard: ['hostname', 'image_id', 'port', 'created_at', 'updated_at'],
  onRequest: ['status', 'failure'],
};

/** `/instances` and below. */
export function registerInstances(app: FastifyInstance, parts: RouteParts): void {
  const { instances, publicHostname } = parts;
  const guards = [
    requireVersion(parts.versionCheck),
    requireCaller(parts),
    requireKnownFields(INSTANCE_FIELDS),
  ];

  registerResource(app, '/instances', guards, {
    GET: async (request, reply) => {
      const own = await instances.list(getCaller(request));
      return sendJson(reply, { data: own.map((instance) => toResource(request, instance, publicHostname)) });
    },
    POST: withAttributes(NewInstance, async (attributes, request, reply) => {
      const imageId = parseImageId(attributes.image_id);
      const created = await instances.create(getCaller(request), imageId, getClientAddress(parts, request));
      noteObject(request, `instances/${created.instance.id}`);
      return sendJson(reply.code(201), toDocument(request, created, publicHostname));
    }),
  });

  registerResource(app, '/instances/:id', guards, {
    GET: async (request, reply) => {
      const own = await instances.get(getCaller(request), getId(request), getClientAddress(parts, request));
      return sendJson(reply, toDocument(request, own, publicHostname));
    },
    DELETE: async (request, reply) => {
      await instances.destroy(getCaller(request), getId(request));
      return reply.code(204).send();
    },
  });
}

/** An integer, as a number or as a string. One that no image can have is as unknown as any other. */
function parseImageId(value: unknown): number {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || !/^-?[0-9]+$/.test(text)) {
    throw new DomainError('invalid_image_id', 'not an integer');
  }
  const id = parseId(text);
  if (id === undefined) throw new DomainError('image_not_found', 'no such image');
  return id;
}

/** The document of an instance with its credentials (contract: HTTP API, "Routes"). */
export function toDocument(
  request: FastifyRequest,
  { instance, credentials }: InstanceWithCredentials,
  hostname: string,
): object {
  const id = String(instance.id);
  const attributes: CredentialsResource['attributes'] = {
    ca_certificate: credentials.ca.certificate,
    client_certificate: credentials.client.certificate,
    client_key: credentials.client.key,
  };
  return {
    data: {
      ...toResource(request, instance, hostname),
      relationships: { credentials: { data: { type: 'credentials', id } } },
    },
    included: [{ type: 'credentials', id, attributes }],
  };
}

function toResource(request: FastifyRequest, instance: Instance, hostname: string): object {
  const standard: InstanceResource['attributes'] = {
    hostname,
    image_id: instance.imageId,
    port: instance.port,
    created_at: formatTime(instance.createdAt),
    updated_at: formatTime(instance.updatedAt),
  };
  const attributes = selectAttributes(request, INSTANCE_FIELDS, {
    ...standard,
    status: instance.status,
    failure: instance.failure ?? null,
  });
  return { type: 'instances', id: String(instance.id), attributes };
}
