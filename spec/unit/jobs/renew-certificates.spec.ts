import { beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../../src/core/caller.ts';
import { CertificateRenewal, getRenewalInterval } from '../../../src/jobs/renew-certificates.ts';
import { createWorld, type World } from '../fakes/world.ts';

const ADA: Caller = { role: 'developer', email: 'ada@example.com' };
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
const START = Date.parse('2026-05-01T12:00:00Z');
const LIFETIME = 30 * DAY;

let world: World;
let now: number;
/** Until when each certificate is valid, by its text. */
let issued: Map<string, number>;
beforeEach(async () => {
  world = createWorld();
  now = START;
  issued = new Map();
  world.imageStore.add('ready');
  for (let i = 0; i < 3; i++) await world.instances.create(ADA, 1, '192.0.2.7');
  world.steps.taken.length = 0;
});

/** One round at the time it is. A certificate counts from the moment it is seen first. */
async function run(signal = new AbortController().signal): Promise<void> {
  const readValidity = (certificate: string) => {
    const made = issued.get(certificate) ?? now;
    issued.set(certificate, made);
    return { notBefore: new Date(Math.min(made, START) - HOUR), notAfter: new Date(made + LIFETIME) };
  };
  const renewal = new CertificateRenewal({
    store: world.credentialStore,
    credentials: world.credentials,
    proof: world.certificateProof,
    sealer: world.sealer,
    readValidity,
    log: world.log,
    lifetimeMs: LIFETIME,
    now: () => now,
  });
  await renewal.run(signal);
}

const countRenewals = (): number =>
  world.steps.taken.filter((step) => step === 'authority.renewChain').length;
/** Nothing that ever harms anybody. */
function expectNoHarm(): void {
  expect(world.certificates.ended).toEqual([]);
  expect(world.store.rows.size).toBe(3);
  expect(world.steps.taken.filter((step) => /destroy|Destroying|createChain/.test(step))).toEqual([]);
  expect(world.log.at('error')).toEqual([]);
}

describe('the renewal of certificates', () => {
  it('leaves those alone that are not due, and looks at what is served', async () => {
    await run();
    now += 20 * DAY - 1;
    await run();
    expect(countRenewals()).toBe(0);
    expect(world.steps.taken.filter((step) => step === 'certificates.check')).toHaveLength(6);
  });

  it('renews each once when it is due', async () => {
    await run();
    now += 20 * DAY;
    await run();
    await run();
    expect(countRenewals()).toBe(3);
    expectNoHarm();
  });

  it.each([
    ['forward by years', 20 * YEAR, 1],
    ['back by years', -20 * YEAR, 1],
    ['forward by an hour', HOUR, 0],
    ['back by an hour', -HOUR, 0],
  ])('survives a clock that jumps %s and then is set right', async (_how, jump, renewals) => {
    await run();
    now += jump;
    await run();
    await run();
    expect(countRenewals()).toBe(3 * renewals);
    now = START + HOUR;
    await run();
    await run();
    expect(countRenewals()).toBeLessThanOrEqual(3 * 2 * renewals);
    expectNoHarm();
  });

  it('repairs an instance that serves what its owner does not have', async () => {
    await run();
    const other = { certificate: 'other', key: 'other' };
    world.certificates.served.set(2, { ca: other, server: other, client: other });
    await run();
    expect(countRenewals()).toBe(1);
    expect(world.certificates.served.get(2)?.ca.key).toBe('ca key 2');
    expect(world.log.at('warn')).toMatchObject([{ fields: { instanceId: 2 } }]);
  });

  it('finishes a renewal that was left half done, though it is not due', async () => {
    world.steps.failOnce('certificates.keep');
    await expect(world.credentials.renew({ id: 2, port: 6001 })).rejects.toThrow();
    await run();
    const { credentials } = await world.instances.get(ADA, 2, '192.0.2.7');
    expect(credentials.ca.certificate).toBe('ca certificate 2, renewed 1');
    expect(countRenewals()).toBe(1);
  });

  it('finishes a replacement that was left half done', async () => {
    world.steps.failOnce('certificates.keep');
    await expect(world.credentials.rotate(ADA, 2, '192.0.2.7')).rejects.toThrow();
    await run();
    expect(world.certificates.ended).toEqual([2]);
  });

  it('leaves alone what does not run', async () => {
    world.certificates.stopped.add(1);
    await run();
    expect(countRenewals()).toBe(0);
    expect(world.log.at('error')).toEqual([]);
  });

  it('goes on with the others when one fails, says which, and tries again in the next round', async () => {
    await run();
    now += 25 * DAY;
    world.steps.failOnce('certificates.install');
    await run();
    expect(countRenewals()).toBe(3);
    expect(world.log.at('error')).toMatchObject([{ fields: { instanceId: 1 } }]);
    await run();
    expect(countRenewals()).toBe(4);
  });

  it('says nothing of an instance that is destroyed meanwhile', async () => {
    await run();
    now += 25 * DAY;
    const hold = world.steps.hold('certificates.install');
    const round = run();
    await hold.reached;
    await world.instances.destroyAllOwnedBy(ADA.email);
    hold.release();
    await round;
    expect(world.log.at('error')).toEqual([]);
  });

  it('begins with no other instance once it is to stop', async () => {
    const stop = new AbortController();
    stop.abort();
    await run(stop.signal);
    expect(world.steps.taken).toEqual(['credentials.list']);
  });
});

describe('the interval of the renewal', () => {
  it('is an hour, and shorter for short lifetimes: eight tries before the end', () => {
    expect(getRenewalInterval(LIFETIME)).toBe(HOUR);
    expect(getRenewalInterval(HOUR)).toBe(150_000);
  });
});
