import { Socket } from 'node:net';
import pg from 'pg';
import { withDeadline } from './deadline.ts';

/** Longest time of a conversation, in milliseconds. */
const TIMEOUT_MS = 10_000;
/** How long a Postgres may take to close a connection of which we have taken leave, in milliseconds. */
const LEAVE_MS = 500;
/** What is said in a conversation is a few thousand bytes, certificates included. */
const MAX_BYTES = 256 * 1024;
const LOOK_MS = 10;
/**
 * The first curve is the one that every Postgres takes unless it is configured otherwise (PostgreSQL manual, ssl_ecdh_curve; from
 * version 18 ssl_groups): with one in front that it does not take, each handshake begins anew (RFC 8446, section 4.1.4).
 */
export const CURVES = 'P-256:X25519:X448:P-384:P-521';

/** The message of pg for a connection that is not answered. */
export const TOO_LONG = 'timeout expired';

/**
 * Connects to database `postgres` of an instance, without a password and without anything from the environment, does the work, and
 * takes leave. Its owner can make it answer anything, at any pace and length: the conversation ends in time whatever it says.
 * Throws what pg throws, or TOO_LONG.
 */
export async function converse(
  config: pg.ClientConfig,
  work: (client: pg.Client) => Promise<void> = () => Promise.resolve(),
  timeoutMs = TIMEOUT_MS,
): Promise<void> {
  const socket = new Socket();
  const ssl = typeof config.ssl === 'object' ? { ecdhCurve: CURVES, ...config.ssl } : config.ssl;
  const client = createClient({ ...config, ssl, connectionTimeoutMillis: timeoutMs }, socket);
  const watch = setInterval(() => {
    if (socket.bytesRead > MAX_BYTES) socket.destroy(new Error('Postgres says more than it was asked for'));
  }, LOOK_MS);
  const conversation = async (): Promise<void> => {
    // Whoever is refused need not wait until the other side has closed.
    await client.connect();
    try {
      await work(client);
    } finally {
      await leave(client);
    }
  };
  try {
    await withDeadline(conversation(), timeoutMs, () => new Error(TOO_LONG));
  } finally {
    clearInterval(watch);
    socket.destroy();
  }
}

async function leave(client: pg.Client): Promise<void> {
  await withDeadline(client.end(), LEAVE_MS, () => new Error(TOO_LONG)).catch(() => undefined);
}

function createClient(config: pg.ClientConfig, socket: Socket): pg.Client {
  const client = new pg.Client({
    ...config,
    stream: () => socket,
    database: 'postgres',
    // No rule of ours asks for a password. A function, because pg takes an empty text for none and reads PGPASSWORD.
    password: () => '',
    // What the source has set for all sessions must not stop the question.
    options: '-c statement_timeout=0',
  });
  // A refused client may report its closed socket once more; the outcome is already known.
  client.on('error', () => undefined);
  return client;
}
