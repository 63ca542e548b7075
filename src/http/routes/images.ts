import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { RouteParts } from '../app.ts';
import { noteObject } from '../audit.ts';
import { sendJson } from '../answer.ts';
import { withAttributes } from '../body.ts';
import { DomainError } from '../../core/errors.ts';
import type { Image } from '../../core/image.ts';
import type { Instance } from '../../core/instance.ts';
import { buildError } from '../error-body.ts';
import { formatTime } from '../../wire.ts';
import type { ImageResource } from '../../wire.ts';
import { namesField, requireKnownFields, selectAttributes } from '../fields.ts';
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

const CorrectedScripts = Type.Object(
  {
    anonymisation_script: Type.Optional(Type.String({ pattern: '^[^\\u0000]*$' })),
    verification_script: Type.Optional(Type.String({ pattern: '^[^\\u0000]*$' })),
  },
  { minProperties: 1, additionalProperties: false },
);

const FIELDS: Fields = {
  type: 'images',
  standard: ['backed_up_at', 'created_at', 'ready', 'updated_at'],
  onRequest: ['status', 'progress', 'failure', 'error', 'instances'],
};

/** `/images` and below. */
export function registerImages(app: FastifyInstance, parts: RouteParts): void {
  const { images } = parts;
  const guards = [requireVersion(parts.versionCheck), requireCaller(parts), requireKnownFields(FIELDS)];

  registerResource(app, '/images', guards, {
    GET: async (request, reply) => {
      const toResource = await prepareResources(parts, request);
      const all = await images.list();
      return sendJson(reply, { data: all.map(toResource) });
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
      return sendJson(reply.code(201), await toDocument(parts, request, image));
    }),
  });

  registerResource(app, '/images/:id', guards, {
    GET: async (request, reply) =>
      sendJson(reply, await toDocument(parts, request, await images.get(getId(request)))),
    PATCH: withAttributes(CorrectedScripts, async (attributes, request, reply) => {
      const { anonymisation_script: anonymisationScript, verification_script: verificationScript } =
        attributes;
      const scripts = { anonymisationScript, verificationScript };
      const image = await images.correct(getCaller(request), getId(request), scripts);
      return sendJson(reply, await toDocument(parts, request, image));
    }),
    DELETE: async (request, reply) => {
      await images.destroy(getCaller(request), getId(request));
      return reply.code(204).send();
    },
  });

  registerResource(app, '/images/:id/done', guards, {
    POST: async (request, reply) => {
      const id = getId(request);
      if (!prefersAsync(request)) {
        const ready = await images.finalise(getCaller(request), id);
        return sendJson(reply, await toDocument(parts, request, ready));
      }
      const image = await images.beginFinalising(getCaller(request), id);
      void reply.header('preference-applied', 'respond-async').header('location', `/images/${id}`);
      const status = image.status === 'ready' ? 200 : 202;
      return sendJson(reply.code(status), await toDocument(parts, request, image));
    },
  });
}

/** RFC 7240, section 4.1: the caller would rather look again than wait. Node has joined the lines of the header. */
function prefersAsync(request: FastifyRequest): boolean {
  const preferences = String(request.headers['prefer'] ?? '').split(',');
  return preferences.some((preference) => /^respond-async\b/i.test(preference.trim()));
}

/** What `done` was answered with, or would have been without `Prefer`, when the last preparation failed. */
function findFinaliseError({ status, failure = '', failureKind = 'finalise_failed' }: Image) {
  return status === 'failed' ? buildError(failureKind, failure).body : undefined;
}

async function toDocument(parts: RouteParts, request: FastifyRequest, image: Image): Promise<object> {
  const toResource = await prepareResources(parts, request);
  return { data: toResource(image) };
}

/** Loads what the resources of an answer have in common; returns what makes one. Throws `forbidden`. */
async function prepareResources(
  { images, instances }: RouteParts,
  request: FastifyRequest,
): Promise<(image: Image) => object> {
  const named = namesField(request, FIELDS, 'instances');
  const byImage = named ? await instances.groupByImage(getCaller(request)) : new Map<number, Instance[]>();
  return (image) => {
    const standard: ImageResource['attributes'] = {
      backed_up_at: formatTime(image.backedUpAt),
      created_at: formatTime(image.createdAt),
      ready: image.status === 'ready',
      updated_at: formatTime(image.updatedAt),
    };
    const attributes = selectAttributes(request, FIELDS, {
      ...standard,
      status: image.status,
      progress: images.getProgress(image.id) ?? null,
      failure: image.failure ?? null,
      error: findFinaliseError(image) ?? null,
      instances: (byImage.get(image.id) ?? []).map(({ id, userEmail }) => ({
        id: String(id),
        owner: userEmail,
      })),
    });
    return { type: 'images', id: String(image.id), attributes };
  };
}
