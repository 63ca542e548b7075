import { describe, expect, it } from 'vitest';
import type { PartState, ReadinessPart } from '../../../src/core/readiness.ts';
import { createApp, expectEnvelope } from './app-under-test.ts';

const part = (name: string, state: PartState): ReadinessPart => ({
  name,
  look: () => Promise.resolve(state),
});
const ask = (parts: ReadinessPart[]) =>
  createApp('exact', { readiness: parts }).app.inject({ method: 'GET', url: '/ready' });

describe('GET /ready', () => {
  it('is ok without version and token when every part is', async () => {
    const response = await ask([part('database', { status: 'ok' }), part('firewall', { status: 'ok' })]);
    expect(response.statusCode).toBe(200);
    expect(response.body).toBe('{"status":"ok"}');
    expectEnvelope(response);
  });

  it('names what is off, and is ok all the same', async () => {
    const off = { status: 'off', detail: 'why' } as const;
    const response = await ask([part('database', { status: 'ok' }), part('egress', off)]);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ status: 'ok', parts: { egress: off } });
  });

  it('is 503 with the parts that fail', async () => {
    const failing = { status: 'failing', detail: 'why' } as const;
    const response = await ask([part('database', { status: 'ok' }), part('firewall', failing)]);
    expect(response.statusCode).toBe(503);
    expect(response.json()).toEqual({ status: 'unavailable', parts: { firewall: failing } });
    expectEnvelope(response);
  });

  it('looks once for all who ask at the same time', async () => {
    const gate = Promise.withResolvers<PartState>();
    let looks = 0;
    const { app } = createApp('exact', {
      readiness: [
        {
          name: 'database',
          look: () => {
            looks++;
            return gate.promise;
          },
        },
      ],
    });
    let arrived = 0;
    const all = Promise.withResolvers<undefined>();
    app.addHook('preHandler', (_request, _reply, next) => {
      if (++arrived === 10) all.resolve(undefined);
      next();
    });
    const answers = Array.from({ length: 10 }, () => app.inject({ method: 'GET', url: '/ready' }));
    await all.promise;
    gate.resolve({ status: 'ok' });
    for (const answer of await Promise.all(answers)) expect(answer.statusCode).toBe(200);
    expect(looks).toBe(1);
  });

  it('answers other methods 405', async () => {
    const response = await createApp().app.inject({ method: 'POST', url: '/ready' });
    expect(response.statusCode).toBe(405);
  });
});
