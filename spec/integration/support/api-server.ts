import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, vi } from 'vitest';
import { SealedBox } from '../../../src/auth/sealed-box.ts';
import { parseServerConfig } from '../../../src/config/server-config.ts';
import type { InstanceStorage } from '../../../src/core/instance.ts';
import { Images } from '../../../src/core/images.ts';
import { Limiter } from '../../../src/core/limiter.ts';
import { InstanceCredentials } from '../../../src/core/instance-credentials.ts';
import { Instances } from '../../../src/core/instances.ts';
import { Secret } from '../../../src/core/secret.ts';
import { AnyAddress } from '../../../src/core/addresses.ts';
import { Readiness } from '../../../src/core/readiness.ts';
import { PgAddressStore } from '../../../src/db/address-store.ts';
import { PgCredentialStore } from '../../../src/db/credential-store.ts';
import { PgImageStore } from '../../../src/db/image-store.ts';
import { PgInstanceStore } from '../../../src/db/instance-store.ts';
import { buildApp } from '../../../src/http/app.ts';
import { createClientAddressFinder, createProxyTest } from '../../../src/http/client-address.ts';
import { composeIdentity, type IdentityLimits } from '../../../src/server/identity.ts';
import { VERSION } from '../../../src/version.ts';
import { RecordingAudit } from '../../unit/fakes/recording-audit.ts';
import { FakeGoogle } from '../../support/google.ts';
import { createTestDatabase } from './database.ts';

export const SHARED_SECRET = 'the-shared-secret';

/** What an answer came to. */
export interface TestAnswer {
  status: number;
  headers: Headers;
  body: string;
}

/** Instances on a disk that is a set of numbers. */
class FakeDisk implements InstanceStorage {
  readonly existing = new Set<number>();
  /** Ids whose destruction fails. */
  readonly stuck = new Set<number>();

  createInstance({ id }: { id: number }) {
    this.existing.add(id);
    return Promise.resolve({
      pid: 1,
      open: () => Promise.resolve(),
      abandon: () => {
        this.existing.delete(id);
        return Promise.resolve(undefined);
      },
    });
  }

  startInstance(): Promise<{ pid: number }> {
    return Promise.resolve({ pid: 1 });
  }

  readAdoptedCredentials(): Promise<never> {
    return Promise.reject(new Error('no credentials on a disk of numbers'));
  }

  destroyInstance(id: number): Promise<void> {
    if (this.stuck.has(id)) return Promise.reject(new Error('disk busy'));
    this.existing.delete(id);
    return Promise.resolve();
  }
}

const VOLUME = { requireMounted: () => Promise.resolve(), requireSpace: () => Promise.resolve() };

export interface ApiServerOptions extends Omit<IdentityLimits, 'now'> {
  environment?: string;
  /** Go duration. */
  grace?: string;
  acceptShortStates?: boolean;
  failedRequestsPerMinute?: number;
}

/**
 * The API on a real socket and a real database, with Google played by `FakeGoogle` and instances that are numbers. The
 * clock stands still until a test moves it.
 */
export class ApiServer {
  readonly google: FakeGoogle;
  readonly pool: pg.Pool;
  readonly disk = new FakeDisk();
  readonly audit = new RecordingAudit();
  /** Milliseconds since the epoch. */
  now = Date.now();
  /** All log lines, as they would be written. */
  readonly log: string[] = [];
  readonly identity: ReturnType<typeof composeIdentity>;
  readonly instances: Instances;
  /** States that clients have waited for, with the signal that tells that the client hung up. */
  readonly waits = new Map<string, AbortSignal>();
  readonly #app: ReturnType<typeof buildApp>;

  private constructor(google: FakeGoogle, pool: pg.Pool, options: ApiServerOptions) {
    this.google = google;
    this.pool = pool;
    const write = (fields: object, message: string): void =>
      void this.log.push(JSON.stringify({ message, ...fields, err: String(Reflect.get(fields, 'err')) }));
    const log = { info: write, warn: write, error: write };
    const config = createConfig(google, options);
    const sealer = new SealedBox(new Secret(Buffer.alloc(32, 7)));
    const images = new PgImageStore(pool);
    const pair = { certificate: 'PEM', key: 'PEM' };
    const chain = { ca: pair, server: pair, client: pair };
    const store = new PgInstanceStore(pool);
    const allowList = new AnyAddress(new PgAddressStore(pool));
    const credentials = new InstanceCredentials({
      store: new PgCredentialStore(pool),
      instances: store,
      allowList,
      adopted: this.disk,
      storage: {
        installCertificates: () => Promise.reject(new Error('no certificates on a disk of numbers')),
      },
      proof: { proveInstalled: () => Promise.resolve(), check: () => Promise.resolve('admitted') },
      authority: { createChain: () => Promise.resolve(chain), renewChain: () => Promise.resolve(chain) },
      sealer,
      volume: { requireSpace: () => Promise.resolve() },
      log,
    });
    this.instances = new Instances({
      store,
      images,
      allowList,
      credentials,
      storage: this.disk,
      proof: { prove: () => Promise.resolve() },
      ports: { isFree: () => Promise.resolve(true) },
      postmasters: {
        remember: () => Promise.resolve(),
        isAlive: () => Promise.resolve(true),
        forget: () => undefined,
      },
      volume: VOLUME,
      limiter: new Limiter({ concurrency: 10, queueLength: 100 }),
      sealer,
      issueCertificates: () => Promise.resolve(chain),
      log,
      portRange: { min: config.minInstancePort, max: config.maxInstancePort },
      warmInstances: 0,
    });
    const limits = { ...options, now: () => this.now };
    this.identity = composeIdentity(
      config,
      { pool, sealer, instances: this.instances, audit: this.audit, log },
      limits,
    );
    const { logins } = this.identity;
    const wait = logins.wait.bind(logins);
    logins.wait = (state, signal) => {
      this.waits.set(state, signal);
      return wait(state, signal);
    };
    this.#app = buildApp({
      images: new Images({
        store: images,
        storage: {
          createImage: () => Promise.resolve(),
          finaliseImage: () => Promise.resolve(),
          destroyImage: () => Promise.resolve(),
        },
        instances: this.instances,
        volume: VOLUME,
        limiter: new Limiter({ concurrency: 10, queueLength: 100 }),
        log,
        finaliseTimeoutMs: 1000,
      }),
      instances: this.instances,
      credentials,
      authenticator: this.identity.authenticator,
      logins: this.identity.logins,
      readiness: new Readiness([]),
      audit: this.audit,
      limits: config.limits,
      isProxy: createProxyTest(config),
      log,
      findClientAddress: createClientAddressFinder(config),
      versionCheck: config.apiVersionCheck,
      publicHostname: config.publicHostname,
    });
  }

  static async start(pool: pg.Pool, options: ApiServerOptions): Promise<ApiServer> {
    const server = new ApiServer(await FakeGoogle.start(), pool, options);
    await server.#app.listen({ host: '127.0.0.1', port: 0 });
    return server;
  }

  async stop(): Promise<void> {
    this.identity.logins.close();
    this.#app.server.closeAllConnections();
    await this.#app.close();
    await this.google.stop();
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#app.server.address() as AddressInfo).port}`;
  }

  /** A request with a right version header, unless `headers` say otherwise. */
  async request(
    method: string,
    path: string,
    options: { token?: string; body?: unknown; headers?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<TestAnswer> {
    const { token, body, headers, signal } = options;
    const response = await fetch(this.url + path, {
      method,
      redirect: 'manual',
      headers: {
        'draupnir-version': VERSION,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...(signal && { signal }),
    });
    return { status: response.status, headers: response.headers, body: await response.text() };
  }

  /** What the client does: waits for the token of a state. */
  waitForToken(state: string, signal?: AbortSignal): Promise<TestAnswer> {
    const body = { data: { type: 'access_tokens', attributes: { state } } };
    return this.request('POST', '/access_tokens', { body, ...(signal && { signal }) });
  }

  /** As `waitForToken`, but resolves once the server has the request; `answer` is what it will come to. */
  async startWaiting(state: string, signal?: AbortSignal): Promise<{ answer: Promise<TestAnswer> }> {
    const answer = this.waitForToken(state, signal);
    // A test that fails meanwhile must not leave a second failure behind.
    answer.catch(() => undefined);
    await vi.waitUntil(() => this.waits.has(state), { timeout: 10_000, interval: 5 });
    return { answer };
  }

  /** What the browser does up to the consent page; resolves to the path and query it is sent back to. */
  async consent(state: string): Promise<string> {
    const { status, headers, body } = await this.request('GET', `/authenticate?state=${state}`);
    if (status !== 302) throw new Error(`no redirect: ${status} ${body}`);
    const back = await this.google.consent(headers.get('location') ?? '');
    return back.pathname + back.search;
  }

  /** A whole sign-in of the account at the browser; resolves to the token of ours. */
  async signIn(state: string): Promise<string> {
    const waiting = await this.startWaiting(state);
    await this.request('GET', await this.consent(state));
    const answer = await waiting.answer;
    if (answer.status !== 201) throw new Error(`no token: ${answer.status} ${answer.body}`);
    return (JSON.parse(answer.body) as { refresh_token: string }).refresh_token;
  }

  /** Puts an image there that instances can be made of; its id. */
  async addImage(): Promise<number> {
    const { rows } = await this.pool.query<{ id: number }>(
      `INSERT INTO images (backed_up_at, created_at, updated_at, status, ready) VALUES (now(), now(), now(), 'ready', true)
       RETURNING id`,
    );
    return rows[0]?.id ?? 0;
  }

  /** Makes an instance by the API; its id. */
  async createInstance(token: string, imageId: number): Promise<number> {
    const body = { data: { type: 'instances', attributes: { image_id: imageId } } };
    const answer = await this.request('POST', '/instances', { token, body });
    if (answer.status !== 201) throw new Error(`no instance: ${answer.status} ${answer.body}`);
    return Number((JSON.parse(answer.body) as { data: { id: string } }).data.id);
  }

  /** One round of the cleaner. */
  async clean(): Promise<void> {
    await this.identity.cleaner?.run(new AbortController().signal);
  }

  async query<T extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<T[]> {
    return (await this.pool.query<T>(sql, values)).rows;
  }
}

/** A server for each test of a file, on one database, which is emptied in between. */
export function useApiServer(): { start: (options?: ApiServerOptions) => Promise<ApiServer> } {
  const stack = new AsyncDisposableStack();
  const running: ApiServer[] = [];
  let pool: pg.Pool;
  beforeAll(async () => {
    const database = await createTestDatabase();
    stack.defer(() => database.drop());
    pool = new pg.Pool(database.config);
    // The end of the pool does not wait for its connections to be closed; dropping the database does that.
    pool.on('connect', (client) => client.on('error', () => undefined));
    stack.defer(() => pool.end());
  });
  afterEach(async () => {
    for (const server of running.splice(0)) await server.stop();
    await pool.query('TRUNCATE images, instances, sessions, whitelisted_addresses RESTART IDENTITY');
  });
  afterAll(() => stack.disposeAsync());
  return {
    start: async (options = {}) => {
      const server = await ApiServer.start(pool, options);
      running.push(server);
      return server;
    },
  };
}

function createConfig(google: FakeGoogle, options: ApiServerOptions) {
  const { clientId, redirectUrl, authUrl, tokenUrl, tokeninfoUrl } = google.registration;
  const { config, problems } = parseServerConfig(
    `database_url = "host=/tmp user=x dbname=x"
data_path = "/draupnir"
environment = "${options.environment ?? 'integration'}"
shared_secret = "${SHARED_SECRET}"
trusted_user_email_domain = "@example.com"
public_hostname = "db.example.com"
clean_interval = "30m"
revocation_grace = "${options.grace ?? '0s'}"
min_instance_port = 6432
max_instance_port = 6442
http.insecure_listen_address = ":80"
[oauth]
redirect_url = "${redirectUrl}"
client_id = "${clientId}"
client_secret = "${google.clientSecret}"
auth_url = "${authUrl}"
token_url = "${tokenUrl}"
tokeninfo_url = "${tokeninfoUrl}"
accept_short_states = ${String(options.acceptShortStates ?? false)}
[limits]
failed_requests_per_minute = ${options.failedRequestsPerMinute ?? 100_000}
`,
    'config.toml',
  );
  if (!config) throw new Error(JSON.stringify(problems));
  return config;
}
