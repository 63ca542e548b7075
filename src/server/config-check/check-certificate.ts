import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { ReadableConfig } from '../../config/readable-config.ts';
import { formatDay } from '../../config/tls-files.ts';
import type { Outcome } from './outcome.ts';

const DAY_MS = 86_400_000;
/** As certbot does, which renews certificates of 90 days when 30 are left; in general a third of the lifetime. */
const NOTICE_MS = 30 * DAY_MS;
const NOTICE_PART = 1 / 3;

const path = 'http.tls_certificate';

/**
 * Whether the certificate of the API is for its name and ends late enough. That it has expired, or has another key, is
 * found when the configuration is read.
 */
export function* checkCertificate(
  certificate: X509Certificate,
  config: Pick<ReadableConfig, 'oauth' | 'publicHostname' | 'useXForwardedFor'>,
  now: Date,
): Generator<Outcome> {
  const outcomes = [...checkName(certificate, config), ...checkDates(certificate, now)];
  yield* outcomes;
  if (outcomes.length > 0 || certificate.validToDate < now) return;
  yield { level: 'ok', path, message: `is valid until ${formatDay(certificate.validToDate)}` };
}

/** Browsers follow `oauth.redirect_url`. Without it, the API is most likely reached by the name of the instances. */
function* checkName(
  certificate: X509Certificate,
  { oauth, publicHostname, useXForwardedFor }: Parameters<typeof checkCertificate>[1],
): Generator<Outcome> {
  // Clients see the certificate of the proxy.
  if (useXForwardedFor === true) return;
  const url = URL.parse(oauth?.redirectUrl ?? '');
  const name = url ? url.hostname.replace(/^\[(.*)\]$/, '$1') : publicHostname;
  if (name === undefined || isFor(certificate, name)) return;
  const names = certificate.subjectAltName ?? 'no name';
  const message = `is for ${names} and not for ${name}, the host of ${url ? 'oauth.redirect_url' : 'public_hostname'}`;
  const advice = 'get one for the name that clients use';
  yield { level: url ? 'problem' : 'warning', path, message: `${message}: ${advice}` };
}

/** Clients look at the alternative names alone, and no longer at the common name (RFC 9525, section 2). */
function isFor(certificate: X509Certificate, name: string): boolean {
  const found =
    isIP(name) === 0 ? certificate.checkHost(name, { subject: 'never' }) : certificate.checkIP(name);
  return found !== undefined;
}

function* checkDates({ validFromDate, validToDate }: X509Certificate, now: Date): Generator<Outcome> {
  if (validFromDate > now) {
    const message = `is not valid before ${validFromDate.toISOString()}: check the clock of this host`;
    yield { level: 'warning', path, message };
  }
  const leftMs = validToDate.getTime() - now.getTime();
  const lifetimeMs = validToDate.getTime() - validFromDate.getTime();
  if (leftMs < 0 || leftMs > Math.min(NOTICE_MS, lifetimeMs * NOTICE_PART)) return;
  const message = `ends on ${formatDay(validToDate)}: renew it, then run systemctl reload draupnir`;
  yield { level: 'warning', path, message };
}
