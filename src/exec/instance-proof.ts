import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import type { Credentials, Instance, InstanceProof, Postmaster } from '../core/instance.ts';
import { converse, CURVES } from './conversation.ts';
import { hasEnded, readProcStat } from './proc-stat.ts';

export interface ProofOptions {
  /** Name in the server certificate. */
  publicHostname: string;
  /** Longest time until Postgres takes connections, in milliseconds. */
  startTimeoutMs: number;
}

export const LOOPBACK = '127.0.0.1';
const LOOPBACK_IPV6 = '::1';
const POLL_MS = 5;

/** SQLSTATEs, PostgreSQL manual appendix A. */
const INVALID_AUTHORIZATION = '28000';
const CANNOT_CONNECT_NOW = '57P03';

/**
 * What Postgres says of its owner's doing, after it has proven who it is by its certificate: the database that every cluster
 * starts with is gone or closed, or nobody may connect to it any more.
 */
export const OWNERS_DOING = ['3D000', '55000', '53300'];

type Refusal = 'plaintext' | 'no client certificate' | 'another user';

/** Proves by real connections what the configuration of an instance promises. */
export class PgInstanceProof implements InstanceProof {
  readonly #options: ProofOptions;

  constructor(options: ProofOptions) {
    this.#options = options;
  }

  async prove(
    instance: Pick<Instance, 'id' | 'port'>,
    credentials: Credentials,
    process: Postmaster | Promise<Postmaster>,
  ): Promise<void> {
    const { id, port } = instance;
    const mutual = this.#tls(credentials);
    const anonymous = this.#tls({ ca: credentials.ca });
    const hosts = listLoopbackAddresses();
    const { pid, ready } = await process;
    // A connection without TLS is the cheapest question that a starting Postgres can answer.
    if (!ready) await this.#waitUntilReady(port, pid);
    await Promise.all([
      this.#expectAccesses(hosts, { id, port }, mutual),
      ...hosts.flatMap((host) => [
        expectRefusal('plaintext', { host, port, user: 'draupnir', ssl: false }),
        expectRefusal('no client certificate', { host, port, user: 'draupnir', ssl: anonymous }),
        expectRefusal('another user', { host, port, user: 'postgres', ssl: mutual }),
      ]),
    ]);
  }

  /** Read once for all connections. */
  #tls({ ca, client }: Pick<Credentials, 'ca'> & Partial<Credentials>): ConnectionOptions {
    return {
      secureContext: createSecureContext({
        ca: ca.certificate,
        ecdhCurve: CURVES,
        ...(client && { cert: client.certificate, key: client.key }),
      }),
      checkServerIdentity: (_host, certificate) =>
        checkServerIdentity(this.#options.publicHostname, certificate),
    };
  }

  async #waitUntilReady(port: number, pid: number): Promise<void> {
    const deadline = performance.now() + this.#options.startTimeoutMs;
    for (;;) {
      try {
        await expectRefusal('plaintext', { host: LOOPBACK, port, user: 'draupnir', ssl: false });
        return;
      } catch (error) {
        if (!isStarting(error)) throw error;
        if (hasEnded(await readProcStat(pid)))
          throw new Error('Postgres ended while it started', { cause: error });
        if (performance.now() > deadline) throw new Error('Postgres did not start in time', { cause: error });
      }
      await delay(POLL_MS);
    }
  }

  /** By each address. The first session builds the caches that the others find. */
  async #expectAccesses(
    hosts: readonly string[],
    instance: Pick<Instance, 'id' | 'port'>,
    ssl: ConnectionOptions,
  ): Promise<void> {
    const sessions: Promise<void>[] = [];
    for (const host of hosts) {
      const answered = Promise.withResolvers<undefined>();
      const session = this.#expectAccess(host, instance, ssl, () => {
        answered.resolve(undefined);
      });
      // It is waited for below; until then a failure must not pass for one that nobody handles.
      session.catch(() => undefined);
      sessions.push(session);
      await Promise.race([answered.promise, session]);
    }
    await Promise.all(sessions);
  }

  /** Connects and leaves; `onAnswer` is called in between. */
  async #expectAccess(
    host: string,
    instance: Pick<Instance, 'id' | 'port'>,
    ssl: ConnectionOptions,
    onAnswer: () => void,
  ): Promise<void> {
    try {
      await converse({ host, port: instance.port, user: 'draupnir', ssl }, async (client) => {
        // SHOW, unlike a function, cannot be another one of the same name.
        const { rows } = await client.query<{ cluster_name: string }>('SHOW cluster_name');
        if (rows[0]?.cluster_name !== `draupnir-instance-${instance.id}`) {
          throw new Error(`port ${instance.port} is answered by another Postgres`);
        }
        onAnswer();
      });
    } catch (error) {
      // It was said over TLS by the one Postgres whose certificate this CA has signed, to a client whose certificate it took.
      if (!(error instanceof pg.DatabaseError) || !OWNERS_DOING.includes(error.code ?? '')) throw error;
    }
  }
}

/**
 * Where the proof is given: by both families, unless the host has no IPv6. That is asked beforehand: an error of a
 * connection, such as EADDRNOTAVAIL when all outgoing ports are in use, must never pass for a proof.
 */
export function listLoopbackAddresses(): string[] {
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const hasIpv6 = own.some(({ address }) => address === LOOPBACK_IPV6);
  return hasIpv6 ? [LOOPBACK, LOOPBACK_IPV6] : [LOOPBACK];
}

/** Connects and resolves when Postgres itself refuses, for the right reason. */
export async function expectRefusal(refusal: Refusal, config: pg.ClientConfig): Promise<void> {
  try {
    await converse(config);
  } catch (error) {
    if (isRefusal(refusal, error)) return;
    throw error;
  }
  throw new Error(`Postgres admits a connection with ${refusal}`);
}

/** One SQLSTATE stands for several refusals, so the message decides; `lc_messages` is C in our configuration. */
function isRefusal(refusal: Refusal, error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError) || error.code !== INVALID_AUTHORIZATION) return false;
  return refusal === 'no client certificate'
    ? error.message.includes('valid client certificate')
    : error.message.includes('no pg_hba.conf entry');
}

/**
 * pg gives no code to a connection that is cut, as by a Postgres that ends, or not answered, as by one that is suspended, or answered
 * that there can be no process for it, as by one that is being removed.
 */
const UNANSWERED =
  /^Connection terminated|^timeout expired$|^There was an error establishing an SSL connection$/;

/** Whether an error is what a Postgres answers that starts or ends, or does not listen yet. */
export function isStarting(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (!('code' in error)) return UNANSWERED.test(error.message);
  return error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET' || error.code === CANNOT_CONNECT_NOW;
}
