import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkCertificate } from '../../../../src/server/config-check/check-certificate.ts';
import { createApiCertificate } from '../../../../src/tls/api-certificate.ts';
import { formatLines } from './lines.ts';

const DAY_MS = 86_400_000;
const START = new Date('2026-11-01T12:00:00Z');

let certificate: X509Certificate;
let brief: X509Certificate;
beforeAll(async () => {
  const create = async (lifetimeDays: number): Promise<X509Certificate> => {
    const hostnames = ['draupnir.example.com', '192.0.2.1', '2001:db8::1'];
    const pair = await createApiCertificate({ hostnames, now: START, lifetimeDays });
    return new X509Certificate(pair.certificate);
  };
  [certificate, brief] = [await create(365), await create(6)];
});

const sign = (redirectUrl: string): object => ({ oauth: { redirectUrl } });
const check = (config: object, afterDays = 0, of = certificate): string[] =>
  formatLines(checkCertificate(of, config, new Date(START.getTime() + afterDays * DAY_MS)));

describe('the check of the certificate', () => {
  it.each([
    ['the host of redirect_url', sign('https://draupnir.example.com:8443/oauth_callback')],
    ['an IPv4 address', sign('https://192.0.2.1/oauth_callback')],
    ['an IPv6 address', sign('https://[2001:db8::1]/oauth_callback')],
    ['public_hostname without OAuth', { oauth: { redirectUrl: '' }, publicHostname: 'draupnir.example.com' }],
    ['any name behind a proxy', { ...sign('https://other.example/'), useXForwardedFor: true }],
    ['names that cannot be read', {}],
  ])('accepts one for %s', (_what, config) => {
    expect(check(config)).toEqual(['http.tls_certificate: ok: is valid until 2027-11-01']);
  });

  it('finds one for another name than that in redirect_url', () => {
    expect(check(sign('https://other.example/oauth_callback'))).toEqual([
      'http.tls_certificate: is for DNS:draupnir.example.com, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1 and not for other.example, the host of oauth.redirect_url: get one for the name that clients use',
    ]);
  });

  it('warns only where the name of the API is a guess', () => {
    expect(check({ publicHostname: 'db.example.com' })).toEqual([
      expect.stringMatching(
        /^http\.tls_certificate: warning: is for .* and not for db\.example\.com, the host of public_hostname/,
      ),
    ]);
  });

  it.each([
    ['30 days before its end', () => certificate, 335.1, '2027-11-01'],
    ['when a third of a short lifetime is left', () => brief, 4.1, '2026-11-07'],
  ])('warns %s, and not earlier', (_when, of, afterDays, end) => {
    expect(check({}, afterDays, of())).toEqual([
      `http.tls_certificate: warning: ends on ${end}: renew it, then run systemctl reload draupnir`,
    ]);
    expect(check({}, afterDays - 0.2, of())).toEqual([expect.stringContaining(': ok: ')]);
  });

  it('leaves one that has expired to the check of the file', () => {
    expect(check({}, 366)).toEqual([]);
  });

  it('warns of one that is not valid yet', () => {
    expect(check({}, -1)).toEqual([
      expect.stringMatching(
        /^http\.tls_certificate: warning: is not valid before 2026-11-01T.*: check the clock/,
      ),
    ]);
  });
});
