import { type SecureContextOptions, Server as TlsServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { formatProblem, type Problem } from '../config/problem.ts';
import type { HttpConfig } from '../config/server-config.ts';
import { formatDay } from '../config/tls-files.ts';
import { readTlsPair, type TlsPair } from '../config/tls-pair.ts';
import type { Log } from '../core/log.ts';

/** What a reload works on. */
export interface CertificateParts {
  readonly listeners: readonly Pick<FastifyInstance, 'server'>[];
  readonly http: HttpConfig;
  /** Named in what is logged. */
  readonly configFile: string;
  readonly log: Log;
}

/** The TLS settings of the API, at its start and after a reload: `setSecureContext` keeps none of the earlier ones. */
export function buildTlsOptions({
  certificatePem,
  keyPem,
}: Pick<TlsPair, 'certificatePem' | 'keyPem'>): SecureContextOptions {
  return { cert: certificatePem, key: keyPem, minVersion: 'TLSv1.2' };
}

/**
 * Reads the API's certificate and key again; handshakes from now on use them, and open connections stay. A pair that
 * clients would refuse is logged, and the earlier one stays in use. Never throws.
 */
export async function reloadApiCertificate(
  { listeners, http, configFile, log }: CertificateParts,
  now = new Date(),
): Promise<void> {
  const servers = listeners.map(({ server }) => server).filter((server) => server instanceof TlsServer);
  if (servers.length === 0) {
    log.info({}, 'no certificate to reload: the API has no HTTPS listener');
    return;
  }
  try {
    const { pair, problems } = await readTlsPair(http, configFile);
    const unusable = [...problems, ...(pair ? listDateProblems(pair, configFile, now) : [])];
    if (!pair || unusable.length > 0) {
      logRefusal(log, { problems: unusable.map(formatProblem) });
      return;
    }
    for (const server of servers) server.setSecureContext(buildTlsOptions(pair));
    const { fingerprint256: fingerprint, validToDate } = pair.certificate;
    log.info({ fingerprint, notAfter: validToDate.toISOString() }, 'reloaded the certificate of the API');
  } catch (error) {
    // OpenSSL refuses some keys that Node can read, such as an RSA key of 512 bits.
    logRefusal(log, { err: error });
  }
}

function logRefusal(log: Log, fields: object): void {
  const hint = 'put it right, check it with draupnir config check, and reload again';
  log.error({ ...fields, hint }, 'certificate not reloaded: the earlier one stays in use');
}

function* listDateProblems({ certificate }: TlsPair, file: string, now: Date): Generator<Problem> {
  const path = 'http.tls_certificate';
  const { validFromDate, validToDate } = certificate;
  if (validToDate < now) yield { file, path, message: `expired on ${formatDay(validToDate)}` };
  if (validFromDate > now)
    yield { file, path, message: `is not valid before ${validFromDate.toISOString()}` };
}
