import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';

/** An event as Sentry receives it. */
export interface ReceivedEvent {
  tags: Record<string, string>;
  release: string;
  environment: string;
  exception: {
    values: { type: string; value: string; stacktrace?: { frames: Record<string, unknown>[] } }[];
  };
  [field: string]: unknown;
}

/** How the service misbehaves: `hangs` never answers, `breaks` ends the connection within its answer. */
type Fault = 'hangs' | 'breaks' | 'refuses';

/** A Sentry on loopback that keeps all it is sent (develop.sentry.dev, "Envelopes"). */
export class FakeSentry {
  fault: Fault | undefined;
  /** Requests with headers and body, decompressed. */
  readonly received: string[] = [];
  readonly events: ReceivedEvent[] = [];
  /** Types of the items of all envelopes. */
  readonly itemTypes: string[] = [];
  readonly #server: Server;
  readonly #waiting = new Set<() => void>();

  private constructor() {
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  static async start(): Promise<FakeSentry> {
    const sentry = new FakeSentry();
    await new Promise<void>((resolve) => sentry.#server.listen(0, '127.0.0.1', resolve));
    return sentry;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** `http://KEY@HOST/PROJECT`. */
  get dsn(): string {
    return `http://planted_dsn_key@127.0.0.1:${(this.#server.address() as AddressInfo).port}/7`;
  }

  /** Resolves when so many requests have arrived; the deadline is the test's. */
  async waitForRequests(count: number): Promise<void> {
    while (this.received.length < count) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const sent = await buffer(request);
    const body = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent).toString();
    this.received.push([request.method, request.url, JSON.stringify(request.rawHeaders), body].join('\n'));
    this.#decode(body);
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
    if (this.fault === 'hangs') return;
    if (this.fault === 'breaks') {
      response.writeHead(200, { 'content-length': '100' }).write('{');
      setImmediate(() => response.destroy());
    } else {
      response.writeHead(this.fault === 'refuses' ? 401 : 200).end('{}');
    }
  }

  /** A line for the envelope, then two for each of its items. */
  #decode(body: string): void {
    const lines = body.split('\n').slice(1);
    for (let at = 0; at + 1 < lines.length; at += 2) {
      const { type } = JSON.parse(lines[at] ?? '') as { type: string };
      this.itemTypes.push(type);
      if (type === 'event') this.events.push(JSON.parse(lines[at + 1] ?? '') as ReceivedEvent);
    }
  }
}
