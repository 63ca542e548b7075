import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { AppParts } from '../app.ts';
import { sendJson } from '../answer.ts';
import { withAttributes } from '../body.ts';
import { DomainError } from '../../core/errors.ts';
import type { Image } from '../../core/image.ts';
import { formatTime } from '../../wire.ts';
import type { ImageResource } from '../../wire.ts';
import { requireKnownFields, selectAttributes } from '../fields.ts';
import type { Fields } from '../fields.ts';
import { getCaller, requireCaller, requireVersion } from '../identity.ts';
import { registerResource } from '../resource.ts';
import { getId } from '../resource-id.ts';

const NewImage = Type.Object({
  backed_up_at: Type.String({ format: 'date-time' }),
  // Postgres has no text with a NUL in it.
  anonymisation_script: Type.String({ pattern: '^[^\\u0000]*$' }),
});

const FIELDS: Fields = {
  type: 'images',
  standard: ['backed_up_at', 'created_at', 'ready', 'updated_at'],
  onRequest: ['status', 'failure'],
};

/** `/images` and below. */
export function registerImages(app: FastifyInstance, parts: AppParts): void {
  const { images } = parts;
  const guards = [
    requireVersion(parts.versionCheck),
    requireCaller(parts.authenticator),
    requireKnownFields(FIELDS),
  ];

  registerResource(app, '/images', guards, {
    GET: async (request, reply) => {
      const all = await images.list();
      return sendJson(reply, { data: all.map((image) => toResource(request, image)) });
    },
    POST: withAttributes(NewImage, async (attributes, request, reply) => {
      const backedUpAt = new Date(attributes.backed_up_at);
      if (Number.isNaN(backedUpAt.getTime())) throw new DomainError('malformed_body', 'no such time');
      const image = await images.create(getCaller(request), {
        backedUpAt,
        anonymisationScript: attributes.anonymisation_script,
      });
      return sendJson(reply.code(201), toDocument(request, image));
    }),
  });

  registerResource(app, '/images/:id', guards, {
    GET: async (request, reply) => sendJson(reply, toDocument(request, await images.get(getId(request)))),
    DELETE: async (request, reply) => {
      await images.destroy(getCaller(request), getId(request));
      return reply.code(204).send();
    },
  });

  registerResource(app, '/images/:id/done', guards, {
    POST: async (request, reply) => {
      const image = await images.finalise(getCaller(request), getId(request));
      return sendJson(reply, toDocument(request, image));
    },
  });
}

function toDocument(request: FastifyRequest, image: Image): object {
  return { data: toResource(request, image) };
}

function toResource(request: FastifyRequest, image: Image): object {
  const standard: ImageResource['attributes'] = {
    backed_up_at: formatTime(image.backedUpAt),
    created_at: formatTime(image.createdAt),
    ready: image.status === 'ready',
    updated_at: formatTime(image.updatedAt),
  };
  const all = { ...standard, status: image.status, failure: image.failure ?? null };
  const attributes = selectAttributes(request, FIELDS, all);
  return { type: 'images', id: String(image.id), attributes };
}
