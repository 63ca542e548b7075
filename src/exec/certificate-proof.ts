import { X509Certificate } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { checkServerIdentity } from 'node:tls';
import type { ConnectionOptions, PeerCertificate } from 'node:tls';
import pg from 'pg';
import type { CertificateChain, Credentials } from '../core/instance.ts';
import type { CertificateProof, CertifiedInstance, Reception } from '../core/instance-certificates.ts';
import { converse } from './conversation.ts';
import { expectRefusal, isStarting, listLoopbackAddresses, LOOPBACK } from './instance-proof.ts';

/** Longest time until a running Postgres has read its new certificates, in milliseconds. */
const RELOAD_TIMEOUT_MS = 10_000;
/** Longest time until one that was started just now takes connections, in milliseconds. */
const START_TIMEOUT_MS = 5_000;
const POLL_MS = 10;

/** SQLSTATE, PostgreSQL manual appendix A. */
const TOO_MANY_CONNECTIONS = '53300';

type Identity = (host: string, certificate: PeerCertificate) => Error | undefined;

/** Proves which certificates an instance serves and takes. Loopback stands for all addresses: they share one configuration. */
export class PgCertificateProof implements CertificateProof {
  readonly #publicHostname: string;

  /** `publicHostname` is the name in the server certificates. */
  constructor(publicHostname: string) {
    this.#publicHostname = publicHostname;
  }

  async proveInstalled(
    { port }: CertifiedInstance,
    chain: CertificateChain,
    retired?: Credentials,
  ): Promise<void> {
    const { raw } = new X509Certificate(chain.server.certificate);
    const identity: Identity = (_host, certificate) =>
      certificate.raw.equals(raw) ? this.#checkName(certificate) : createMismatch();
    const renewed = { ca: chain.ca.certificate, checkServerIdentity: identity };
    // Postgres reads its certificates again when it comes to it; until then it serves the old ones.
    await retry(RELOAD_TIMEOUT_MS, isMismatchOrStart, () =>
      expectAdmission({ host: LOOPBACK, port, ssl: { ...renewed, ...toTls(chain) } }),
    );
    if (!retired) return;
    await retry(RELOAD_TIMEOUT_MS, isCut, () =>
      expectUnknown({ host: LOOPBACK, port, ssl: { ...renewed, ...toTls(retired) } }),
    );
  }

  async check({ port }: CertifiedInstance, credentials: Credentials): Promise<Reception> {
    const checkName: Identity = (_host, certificate) => this.#checkName(certificate);
    const server = { ca: credentials.ca.certificate, checkServerIdentity: checkName };
    const mutual = { ...server, ...toTls(credentials) };
    try {
      await retry(START_TIMEOUT_MS, isStarting, () => expectAdmission({ host: LOOPBACK, port, ssl: mutual }));
      await Promise.all(
        listLoopbackAddresses().flatMap((host) => [
          expectAdmission({ host, port, ssl: mutual }),
          expectRefusal('plaintext', { host, port, user: 'draupnir', ssl: false }),
          expectRefusal('no client certificate', { host, port, user: 'draupnir', ssl: server }),
          expectRefusal('another user', { host, port, user: 'postgres', ssl: mutual }),
        ]),
      );
      return 'admitted';
    } catch (error) {
      if (isMismatch(error)) return 'mismatched';
      if (isStarting(error) || getCode(error) === TOO_MANY_CONNECTIONS) return 'unreachable';
      throw error;
    }
  }

  #checkName(certificate: PeerCertificate): Error | undefined {
    return checkServerIdentity(this.#publicHostname, certificate);
  }
}

function toTls({ client }: Credentials): ConnectionOptions {
  return { cert: client.certificate, key: client.key };
}

/**
 * Connects as the owner does. What Postgres itself answers, it answers over TLS, to a client whose certificate it has taken:
 * that all connections are in use, or that the owner has dropped the database, proves as much as a session does.
 */
async function expectAdmission(access: {
  host: string;
  port: number;
  ssl: ConnectionOptions;
}): Promise<void> {
  try {
    await converse({ ...access, user: 'draupnir' });
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || isStarting(error)) throw error;
  }
}

/** Connects and resolves when the certificate is refused as one of an authority nobody knows. */
async function expectUnknown(access: { host: string; port: number; ssl: ConnectionOptions }): Promise<void> {
  try {
    await expectAdmission(access);
  } catch (error) {
    if (/^ERR_SSL_.*ALERT_UNKNOWN_CA$/.test(getCode(error))) return;
    throw error;
  }
  throw new Error('Postgres admits a client certificate that was replaced');
}

/** Tries until it succeeds, as long as it fails in a way that may pass. */
async function retry(
  timeoutMs: number,
  mayPass: (error: unknown) => boolean,
  attempt: () => Promise<void>,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (!mayPass(error) || performance.now() > deadline) throw error;
    }
    await delay(POLL_MS);
  }
}

function createMismatch(): Error {
  return Object.assign(new Error('another certificate is served'), { code: 'ERR_TLS_OTHER_CERTIFICATE' });
}

/** Errors of TLS itself: of Node's verification of the server (tls, "X509 certificate error codes"), and alerts. */
function isMismatch(error: unknown): boolean {
  return /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/.test(getCode(error));
}

function isMismatchOrStart(error: unknown): boolean {
  return isMismatch(error) || isStarting(error);
}

/** A connection that is closed while we still send does not always let us read why. */
function isCut(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE'].includes(getCode(error));
}

function getCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
