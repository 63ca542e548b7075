import type { Agent, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Proxy } from './proxy.ts';
import type { TimeLimits } from './time-limits.ts';

/** What a server answered, whole. */
export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  /** When its last byte came, by this machine's clock. */
  receivedAt: Date;
  /** How long the server's certificate is valid; only where certificates are not verified. */
  certificate: { from: Date; to: Date } | undefined;
}

export interface Request {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  url: URL;
  headers: Record<string, string>;
  body?: string | undefined;
  /** False accepts any certificate. */
  verifyCertificate: boolean;
  /** How long the answer may take: see `TimeLimits`. */
  wait: 'short' | 'sign-in' | 'work';
}

/** How a request gets to its server. */
export interface Route {
  proxy: Proxy | undefined;
  /** Certificate authorities to trust instead of Node's. */
  ca: string[] | undefined;
  limits: TimeLimits;
}

/** Why there was no answer; `cause` is the error of Node, or a `Silence`. */
export class ExchangeFailure extends Error {
  /** Whether the request may have reached the server. */
  readonly sent: boolean;

  constructor(sent: boolean, cause: unknown) {
    super('no answer', { cause });
    this.name = 'ExchangeFailure';
    this.sent = sent;
  }
}

/** Nothing has come for too long. */
export class Silence extends Error {
  readonly ms: number;

  constructor(ms: number) {
    super('no answer in time');
    this.name = 'Silence';
    this.ms = ms;
  }
}

// Probes an idle connection now and then: some work is silent for many minutes, and routers forget
// connections
// sooner than that.
const KEEP_ALIVE_PROBE_MS = 30_000;

/** Sends one request over a connection of its own, and reads the answer. Throws `ExchangeFailure`. */
export async function exchange(request: Request, route: Route): Promise<Answer> {
  const isTls = request.url.protocol === 'https:';
  const { request: send } = isTls ? await import('node:https') : await import('node:http');
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  let sent = false;
  const fail = (cause: unknown): void => {
    reject(new ExchangeFailure(sent, cause));
    client.destroy();
  };
  const timer = new SilenceTimer(fail);
  const client = send(request.url, await buildOptions(request, route, isTls), (response) => {
    timer.start(route.limits.silenceMs);
    const certificate = request.verifyCertificate ? undefined : readValidity(response.socket);
    collect(response, () => timer.start(route.limits.silenceMs)).then(
      (answer) => resolve({ ...answer, certificate }),
      fail,
    );
  });
  timer.start(route.limits.connectMs);
  const onConnected = (): void => {
    sent = true;
    waitForAnswer(request, route, timer);
  };
  client.on('socket', (socket) => {
    socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
    // Through a tunnel, the agent hands the socket over when TLS is established.
    if (isTls && route.proxy) onConnected();
    else socket.once(isTls ? 'secureConnect' : 'connect', onConnected);
  });
  client.on('error', fail);
  client.end(request.body);
  try {
    return await promise;
  } finally {
    timer.end();
  }
}

/**
 * Limits the silence before the answer. Where work may take long, the server is asked whether it is still
 * alive.
 */
function waitForAnswer(request: Request, route: Route, timer: SilenceTimer): void {
  const { silenceMs, signInMs } = route.limits;
  if (request.wait !== 'work') timer.start(request.wait === 'sign-in' ? signInMs : silenceMs);
  else {
    timer.start(silenceMs, async () => {
      if (await isAlive(request, route)) waitForAnswer(request, route, timer);
      else timer.fail(silenceMs);
    });
  }
}

/** Whether the server answers its health check. Failures other than silence show in the request itself. */
async function isAlive({ url, verifyCertificate }: Request, route: Route): Promise<boolean> {
  try {
    await exchange(buildProbe(url, verifyCertificate), route);
    return true;
  } catch (error) {
    return !(error instanceof ExchangeFailure && error.cause instanceof Silence);
  }
}

/** A request that needs no token, and carries none. */
export function buildProbe(server: URL, verifyCertificate: boolean): Request {
  return {
    method: 'GET',
    url: new URL('/health_check', server),
    headers: {},
    verifyCertificate,
    wait: 'short',
  };
}

async function buildOptions(request: Request, { proxy, ca, limits }: Route, isTls: boolean) {
  const options: RequestOptions = {
    method: request.method,
    headers: request.headers,
    // One request a connection, closed after it.
    agent: proxy === undefined ? false : await createProxyAgent(proxy, isTls),
    rejectUnauthorized: request.verifyCertificate,
    ...(ca === undefined ? {} : { ca }),
    // Node ends the tunnel's connection by this time-out alone, which would otherwise keep the process
    // running.
    ...(proxy === undefined ? {} : { timeout: limits.connectMs }),
  };
  return options;
}

/** Node opens the tunnel for HTTPS (CONNECT), and writes absolute URLs for HTTP (RFC 9112, section 3.2). */
async function createProxyAgent({ href }: Proxy, isTls: boolean): Promise<Agent> {
  if (isTls) return new (await import('node:https')).Agent({ proxyEnv: { HTTPS_PROXY: href } });
  return new (await import('node:http')).Agent({ proxyEnv: { HTTP_PROXY: href } });
}

async function collect(
  response: IncomingMessage,
  onProgress: () => void,
): Promise<Omit<Answer, 'certificate'>> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    onProgress();
  }
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks).toString('utf8'),
    receivedAt: new Date(),
  };
}

function readValidity(socket: Socket): Answer['certificate'] {
  if (!('getPeerCertificate' in socket)) return undefined;
  const { valid_from, valid_to } = (socket as TLSSocket).getPeerCertificate();
  return { from: new Date(valid_from), to: new Date(valid_to) };
}

class SilenceTimer {
  readonly #fail: (cause: Silence) => void;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(fail: (cause: Silence) => void) {
    this.#fail = fail;
  }

  /** Waits anew; `onSilence` replaces the failure. */
  start(ms: number, onSilence: () => void | Promise<void> = () => this.fail(ms)): void {
    clearTimeout(this.#timer);
    if (!this.#ended) this.#timer = setTimeout(() => void onSilence(), ms);
  }

  fail(ms: number): void {
    this.#fail(new Silence(ms));
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }
}
