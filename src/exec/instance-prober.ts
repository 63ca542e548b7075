import { X509Certificate } from 'node:crypto';
import { checkServerIdentity } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import type { ClientCredentials, Sealer } from '../core/instance.ts';
import { openCredentials } from '../core/sealed-credentials.ts';
import type { Answer, Probe, Prober } from '../doctor/answer.ts';
import type { InstanceRecord } from '../doctor/records.ts';
import { converse, TOO_LONG } from './conversation.ts';
import { listLoopbackAddresses, OWNERS_DOING } from './instance-proof.ts';

export interface ProberOptions {
  /** Name in the certificates. */
  publicHostname: string;
  /** Undefined when there is no key: nothing can be opened then. */
  sealer: Sealer | undefined;
  readAdoptedCredentials: (id: number) => Promise<ClientCredentials>;
}

type Asked = InstanceRecord & { adoptedUid: number | undefined };

/** Connections at once: a handshake is work for a core on either side. */
const PARALLEL = 8;
const TIMEOUT_MS = 3000;

/** SQLSTATEs, PostgreSQL manual appendix A. */
const CANNOT_CONNECT_NOW = '57P03';

/** Asks instances as their own clients do. */
export class PgInstanceProber implements Prober {
  readonly #options: ProberOptions;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  async probe(instances: readonly Asked[]): Promise<Probe[]> {
    const probes: Probe[] = [];
    const left = [...instances];
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next; next = left.shift()) probes.push(await this.#probe(next));
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    return probes;
  }

  async #probe(instance: Asked): Promise<Probe> {
    const { id } = instance;
    let credentials: ClientCredentials;
    try {
      credentials = await this.#getCredentials(instance);
    } catch {
      const state = instance.credentials ? 'sealed otherwise' : 'unreadable';
      return { id, answers: [], expiresAt: undefined, credentials: state };
    }
    const ends = [new X509Certificate(credentials.client.certificate).validToDate];
    const adopted = instance.adoptedUid !== undefined;
    const ssl: ConnectionOptions = {
      ca: credentials.ca.certificate,
      cert: credentials.client.certificate,
      key: credentials.client.key,
      checkServerIdentity: (_host, certificate) => {
        ends.push(new Date(certificate.valid_to));
        // Certificates of Draupnir 5.3 have no alternative names: the chain alone proves them.
        return adopted ? undefined : checkServerIdentity(this.#options.publicHostname, certificate);
      },
    };
    // Draupnir 5.3 admitted IPv4 alone.
    const hosts = adopted ? listLoopbackAddresses().slice(0, 1) : listLoopbackAddresses();
    const name = adopted ? undefined : `draupnir-instance-${id}`;
    const answers = await Promise.all(hosts.map((host) => ask({ host, port: instance.port, ssl, name })));
    return { id, answers, expiresAt: getEarliest(ends), credentials: 'open' };
  }

  async #getCredentials(instance: Asked): Promise<ClientCredentials> {
    if (!instance.credentials) return this.#options.readAdoptedCredentials(instance.id);
    if (!this.#options.sealer) throw new Error('there is no key');
    return openCredentials(this.#options.sealer, instance.id, instance.credentials);
  }
}

/** Connects once; `name` is the cluster's, undefined where it has none. */
async function ask(question: {
  host: string;
  port: number;
  ssl: ConnectionOptions;
  name: string | undefined;
}): Promise<Answer> {
  const { host, port, ssl, name } = question;
  let says: string | undefined;
  try {
    await converse(
      { host, port, user: 'draupnir', ssl },
      async (client) => {
        // SHOW, unlike a function, cannot be another one of the same name.
        const { rows } = await client.query<{ cluster_name: string }>('SHOW cluster_name');
        says = rows[0]?.cluster_name;
      },
      TIMEOUT_MS,
    );
  } catch (error) {
    return classify(host, error);
  }
  return { host, kind: name === undefined || says === name ? 'itself' : 'other' };
}

function classify(host: string, error: unknown): Answer {
  if (error instanceof Error && error.message === TOO_LONG) return { host, kind: 'silent' };
  const code =
    error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (code === 'ECONNREFUSED') return { host, kind: 'refused' };
  // A connection that is cut has no code, or this one.
  if (code === undefined || code === 'ECONNRESET' || code === CANNOT_CONNECT_NOW)
    return { host, kind: 'starting' };
  if (error instanceof pg.DatabaseError && OWNERS_DOING.includes(code)) return { host, kind: 'itself' };
  return { host, kind: 'rejected', code };
}

function getEarliest(dates: readonly Date[]): Date | undefined {
  const times = dates.map((date) => date.getTime()).filter((time) => !Number.isNaN(time));
  return times.length === 0 ? undefined : new Date(Math.min(...times));
}
