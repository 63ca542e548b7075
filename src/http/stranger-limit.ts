import rateLimit from '@fastify/rate-limit';
import type { CreateRateLimitOptions } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ClientAddressFinder, toNetwork } from './client-address.ts';
import { buildTooManyError, TooManyRequests } from './error-body.ts';
import { getClientAddress } from './identity.ts';
import type { HttpLimits } from './limits.ts';
import { getNotes } from './request-notes.ts';

const MINUTE_MS = 60_000;
/** Networks that are remembered; the one that was quiet for longest goes. */
const MAX_NETWORKS = 50_000;

/** Counts the requests of those who show no valid token. Whoever does show one is never refused for being too many. */
export interface StrangerLimit {
  /** Counts a request: to be called once for each. Throws `TooManyRequests` when its network has had its share of this minute. */
  count(request: FastifyRequest): Promise<void>;
}

/** Refuses strangers beyond the limit: whatever else they would be answered with a status of 4xx becomes 429. */
export function limitStrangers(
  app: FastifyInstance,
  parts: { limits: HttpLimits; findClientAddress: ClientAddressFinder },
): StrangerLimit {
  const options = {
    timeWindow: MINUTE_MS,
    cache: MAX_NETWORKS,
    keyGenerator: (request: FastifyRequest) => toNetwork(getClientAddress(parts, request)),
  } satisfies CreateRateLimitOptions & { cache: number };
  void app.register(rateLimit, { global: false });
  let check: ReturnType<typeof app.createRateLimit>;
  let announce: ReturnType<typeof app.createRateLimit>;
  app.after(() => {
    check = app.createRateLimit({ ...options, max: parts.limits.failedRequestsPerMinute });
    announce = app.createRateLimit({ ...options, max: 1 });
  });

  const limit: StrangerLimit = {
    async count(request) {
      const notes = getNotes(request);
      notes.counted = true;
      const result = await check(request);
      if (result.isAllowed || !result.isExceeded) return;
      const first = await announce(request);
      notes.repeated = !first.isAllowed && first.isExceeded;
      throw new TooManyRequests(result.ttlInSeconds);
    },
  };

  app.addHook('onSend', (request, reply, payload, done) => {
    const { statusCode } = reply;
    const { caller, counted } = getNotes(request);
    if (statusCode < 400 || statusCode >= 500 || caller || counted === true) done(null, payload);
    else countFailure(request, reply, payload).then((sent) => done(null, sent), done);
  });

  async function countFailure(
    request: FastifyRequest,
    reply: FastifyReply,
    payload: unknown,
  ): Promise<unknown> {
    try {
      await limit.count(request);
      return payload;
    } catch (error) {
      if (!(error instanceof TooManyRequests)) throw error;
      const { status, body } = buildTooManyError(error);
      void reply.code(status).removeHeader('allow').header('retry-after', String(error.retryAfterS));
      getNotes(request).reason = body.id;
      return JSON.stringify(body);
    }
  }
  return limit;
}
