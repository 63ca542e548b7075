import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { describeClock, explainValidity, measureClock } from '../../../src/cli/clock.ts';
import { createClient } from '../../support/cli/client.ts';
import { imageResource } from '../../support/cli/resources.ts';
import { startStubServer } from '../../support/cli/stub-server.ts';
import { createTestCertificates } from '../../support/cli/test-certificates.ts';

const HOUR = 3_600_000;
const NOW = new Date('2026-05-01T12:00:00Z');
const IMAGES = { status: 200, body: { data: [imageResource(1)] } };

describe('the clock of this machine', () => {
  it.each([
    [0, undefined],
    [-4 * 60_000, undefined],
    [4 * 60_000, undefined],
    [-5 * 60_000, "5 min behind the server's"],
    [5 * 60_000, "5 min ahead of the server's"],
    [-2 * HOUR, "2 h behind the server's"],
    [30 * HOUR, "1 day ahead of the server's"],
    [-72 * HOUR, "3 days behind the server's"],
  ])('is compared with the server: %d ms ahead is %s', (aheadMs, expected) => {
    expect(describeClock(aheadMs)).toBe(expected);
  });

  it.each([
    [{ date: 'Fri, 01 May 2026 14:00:00 GMT' }, -2 * HOUR],
    [{ date: 'Fri, 01 May 2026 12:00:00 GMT' }, 0],
    // Of an answer from a cache, an unknown time ago.
    [{ date: 'Fri, 01 May 2026 10:00:00 GMT', age: '7200' }, undefined],
    [{ date: 'yesterday' }, undefined],
    [{}, undefined],
  ])('is measured by the headers of an answer: %j', (headers, expected) => {
    expect(measureClock(headers, NOW)).toBe(expected);
  });

  it('is measured with each answer', async () => {
    const stub = await startStubServer({
      'GET /images': { ...IMAGES, headers: { Date: new Date(Date.now() + 2 * HOUR).toUTCString() } },
    });
    const client = createClient(stub.domain);
    expect(client.clockAheadMs).toBeUndefined();
    await client.listImages();
    expect(describeClock(client.clockAheadMs)).toBe("2 h behind the server's");
  });
});

describe('the reason for a certificate that is out of date', () => {
  const validity = { from: new Date(NOW.getTime() + HOUR), to: new Date(NOW.getTime() + 48 * HOUR) };

  it("is this machine's clock when the certificate is valid by the server's", () => {
    expect(explainValidity('not yet valid', -2 * HOUR, validity, NOW)).toEqual({
      reason: "its certificate is not valid yet by this machine's clock, which is 2 h behind the server's",
      hint: 'set the clock of this machine: it shows 2026-05-01T12:00:00Z',
    });
  });

  it('is the certificate when the clocks agree', () => {
    const past = { from: new Date(0), to: new Date('2026-04-01T00:00:00Z') };
    expect(explainValidity('expired', 1000, past, NOW)).toEqual({
      reason: 'its certificate has expired (until 2026-04-01T00:00:00Z)',
      hint: 'renew it, and check the clock of this machine: it shows 2026-05-01T12:00:00Z',
    });
  });

  it('is the certificate when it is out of date by either clock', () => {
    expect(explainValidity('not yet valid', -600_000, validity, NOW).reason).toBe(
      'its certificate is not valid yet (from 2026-05-01T13:00:00Z)',
    );
  });

  it('is open when the server does not say what time it is', () => {
    expect(explainValidity('not yet valid', undefined, undefined, NOW)).toEqual({
      reason: 'its certificate is not valid yet',
      hint: 'check the clock of this machine: it shows 2026-05-01T12:00:00Z',
    });
  });

  it.each([
    ['is not valid yet', 2 * HOUR, 24 * HOUR, 3 * HOUR, 'which is 3 h behind'],
    ['has expired', -24 * HOUR, -2 * HOUR, -3 * HOUR, 'which is 3 h ahead of'],
    ['has expired', -24 * HOUR, -2 * HOUR, 0, '(until '],
  ])('%s is found out at the server', async (state, from, to, serverAhead, expected) => {
    const now = Date.now();
    const certificates = createTestCertificates(['localhost'], {
      notBefore: new Date(now + from),
      notAfter: new Date(now + to),
    });
    const headers = { Date: new Date(now + serverAhead).toUTCString() };
    const stub = await startStubServer(
      { 'GET /images': IMAGES, 'GET /health_check': { status: 200, body: {}, headers } },
      certificates,
    );
    const trusted = getCACertificates('default');
    setDefaultCACertificates([certificates.authority]);
    onTestFinished(() => setDefaultCACertificates(trusted));
    const client = createClient(stub.domain, { https: true });
    await expect(client.listImages()).rejects.toThrow(
      new RegExp(
        `^cannot connect to https://${stub.domain}: its certificate ${state}.*${expected.replace('(', '\\(')}`,
      ),
    );
    expect(stub.seen.map(({ line }) => line)).toEqual(['GET /health_check']);
    expect(stub.seen[0]?.headers).not.toHaveProperty('authorization');
  });
});
