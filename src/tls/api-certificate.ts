import { issueCertificate } from './certificate.ts';
import { chooseValidity } from './validity.ts';

const DAY_MS = 86_400_000;

/** A certificate for the API's HTTPS listener. All PEM. */
export interface ApiCertificate {
  /** What clients have to trust. */
  ca: string;
  certificate: string;
  key: string;
}

/**
 * Makes a certificate for the API, for the DNS names and IP addresses in `hostnames`, under a CA of its own. The CA's
 * key is thrown away: trusting that CA means to trust this one certificate. Throws when there is no name.
 */
export async function createApiCertificate(options: {
  hostnames: readonly string[];
  now: Date;
  lifetimeDays: number;
}): Promise<ApiCertificate> {
  const { hostnames, now, lifetimeDays } = options;
  if (hostnames.length === 0) throw new TypeError('a certificate needs a host name');
  const validity = chooseValidity({ now, lifetimeMs: lifetimeDays * DAY_MS });
  const ca = await issueCertificate({ role: 'ca', commonName: 'Draupnir API CA', validity });
  const { certificate, key } = await issueCertificate({
    role: 'server',
    commonName: 'Draupnir API',
    hostnames,
    issuer: ca,
    validity,
  });
  return { ca: ca.certificate, certificate, key };
}
