import { issueCertificate } from './certificate.ts';

/** A certificate and its key, both PEM. */
export interface KeyPair {
  certificate: string;
  key: string;
}

/** What one instance needs for mutual TLS. The CA's key is for renewal and must not reach the instance's disk. */
export interface CertificateChain {
  ca: KeyPair;
  server: KeyPair;
  client: KeyPair;
}

/** X.520's upper bound for a common name. */
const MAX_COMMON_NAME = 64;

/**
 * Makes the certificates of one instance: a CA of its own, so that no other instance's client is let in, a server
 * certificate for `hostname` (DNS name or IP address) and a client certificate, whose name pg_ident.conf maps.
 */
export async function createCertificateChain(options: {
  instanceId: number;
  hostname: string;
  now: Date;
  lifetimeDays?: number;
}): Promise<CertificateChain> {
  const { instanceId, hostname, now, lifetimeDays = 30 } = options;
  const common = { now, lifetimeDays };
  const name = `Draupnir instance ${instanceId}`;
  const ca = await issueCertificate({ ...common, role: 'ca', commonName: `${name} CA` });
  const server = await issueCertificate({
    ...common,
    role: 'server',
    // Clients look at the alternative names alone; the common name is for people.
    commonName: hostname.length <= MAX_COMMON_NAME ? hostname : `${name} server`,
    hostnames: [hostname],
    issuer: ca,
  });
  const client = await issueCertificate({
    ...common,
    role: 'client',
    commonName: getClientName(instanceId),
    issuer: ca,
  });
  return { ca: toKeyPair(ca), server: toKeyPair(server), client: toKeyPair(client) };
}

/** The common name of an instance's client certificate. */
export function getClientName(instanceId: number): string {
  return `Draupnir instance ${instanceId} client`;
}

function toKeyPair({ certificate, key }: KeyPair): KeyPair {
  return { certificate, key };
}
