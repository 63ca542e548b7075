import type { Validity } from '../core/certificate-validity.ts';
import { issueCertificate } from './certificate.ts';
import { chooseValidity, readValidity } from './validity.ts';

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

export interface ChainOptions {
  instanceId: number;
  /** DNS name or IP address that clients reach the instance by. */
  hostname: string;
  now: Date;
  /** 30 days unless given. */
  lifetimeMs?: number;
}

const DEFAULT_LIFETIME_MS = 30 * 86_400_000;

/**
 * Makes the certificates of one instance: a CA of its own, so that no other instance's client is let in, a server
 * certificate for the host name and a client certificate, whose name pg_ident.conf maps.
 */
export async function createCertificateChain(options: ChainOptions): Promise<CertificateChain> {
  return issueChain(options, chooseValidity({ lifetimeMs: DEFAULT_LIFETIME_MS, ...options }));
}

/**
 * Makes new certificates under an instance's CA, whose own certificate is renewed along with them for the same key: a CA
 * must outlive what it vouches for. Who trusts the old certificate of the CA trusts the new server, since name and key are
 * the same, and the old client is known under the new one; that ends when the old certificates expire. The new ones reach
 * back as far as the old, so that a clock that was wrong for a while, and is set right, does not make them invalid.
 */
export async function renewCertificateChain(
  options: ChainOptions & { ca: KeyPair },
): Promise<CertificateChain> {
  const { notBefore } = readValidity(options.ca.certificate);
  return issueChain(
    options,
    chooseValidity({ lifetimeMs: DEFAULT_LIFETIME_MS, ...options, earliest: notBefore }),
    options.ca.key,
  );
}

async function issueChain(
  { instanceId, hostname }: ChainOptions,
  validity: Validity,
  caKey?: string,
): Promise<CertificateChain> {
  const name = `Draupnir instance ${instanceId}`;
  const ca = await issueCertificate({
    role: 'ca',
    commonName: `${name} CA`,
    validity,
    ...(caKey !== undefined && { key: caKey }),
  });
  const server = await issueCertificate({
    role: 'server',
    // Clients look at the alternative names alone; the common name is for people.
    commonName: hostname.length <= MAX_COMMON_NAME ? hostname : `${name} server`,
    hostnames: [hostname],
    issuer: ca,
    validity,
  });
  const client = await issueCertificate({
    role: 'client',
    commonName: getClientName(instanceId),
    issuer: ca,
    validity,
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
