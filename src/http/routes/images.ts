import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { RouteParts } from '../app.ts';
import { noteObject } from '../audit.ts';
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
  verification_script: Type.Optional(Type.String({ pattern: '^[^\\u0000]*$' })),
});

const FIELDS: Fields = {
  type: 'images',
  standard: ['backed_up_at', 'created_at', 'ready', 'updated_at'],
  onRequest: ['status', 'progress', 'failure'],
};

/** `/images` and below. */
export function registerImages(app: FastifyInstance, parts: RouteParts): void {
  const { images } = parts;
  const guards = [requireVersion(parts.versionCheck), requireCaller(parts), requireKnownFields(FIELDS)];

  registerResource(app, '/images', guards, {
    GET: async (request, reply) => {
      const all = await images.list();
      return sendJson(reply, { data: all.map((image) => toResource(parts, request, image)) });
    },
    POST: withAttributes(NewImage, async (attributes, request, reply) => {
      const backedUpAt = new Date(attributes.backed_up_at);
      if (Number.isNaN(backedUpAt.getTime())) throw new DomainError('malformed_body', 'no such time');
      const image = await images.create(getCaller(request), {
        backedUpAt,
        anonymisationScript: attributes.anonymisation_script,
        verificationScript: attributes.verification_script,
      });
      noteObject(request, `images/${image.id}`);
      return sendJson(reply.code(201), toDocument(parts, request, image));
    }),
  });

  registerResource(app, '/images/:id', guards, {
    GET: async (request, reply) =>
      sendJson(reply, toDocument(parts, request, await images.get(getId(request)))),
    DELETE: async (request, reply) => {
      await images.destroy(getCaller(request), getId(request));
      return reply.code(204).send();
    },
  });

  registerResource(app, '/images/:id/done', guards, {
    POST: async (request, reply) => {
      const id = getId(request);
      if (!prefersAsync(request)) {
        return sendJson(reply, toDocument(parts, request, await images.finalise(getCaller(request), id)));
      }
      const image = await images.beginFinalising(getCaller(request), id);
      void reply.header('preference-applied', 'respond-async').header('location', `/images/${id}`);
      return sendJson(reply.code(image.status === 'ready' ? 200 : 202), toDocument(parts, request, image));
    },
  });
}

/** RFC 7240, section 4.1: the caller would rather look again than wait. Node has joined the lines of the header. */
function prefersAsync(request: FastifyRequest): boolean {
  const preferences = String(request.headers['prefer'] ?? '').split(',');
  return preferences.some((preference) => /^respond-async\b/i.test(preference.trim()));
}

function toDocument(parts: Pick<RouteParts, 'images'>, request: FastifyRequest, image: Image): object {
  return { data: toResource(parts, request, image) };
}

function toResource({ images }: Pick<RouteParts, 'images'>, request: FastifyRequest, image: Image): object {
  const standard: ImageResource['attributes'] = {
    backed_up_at: formatTime(image.backedUpAt),
    created_at: formatTime(image.createdAt),
    ready: image.status === 'ready',
    updated_at: formatTime(image.updatedAt),
  };
  const all = {
    ...standard,
    status: image.status,
    progress: images.getProgress(image.id) ?? null,
    failure: image.failure ?? null,
  };
  const attributes = selectAttributes(request, FIELDS, all);
  return { type: 'images', id: String(image.id), attributes };
}
