import { readFileSync } from 'node:fs';
import http, { type IncomingHttpHeaders } from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { getApiCertificate } from './certificate.ts';
import { CHECKOUT } from './checkout.ts';
import { DEVELOPER, type Installation, SECRET } from './installation.ts';

/** Version of the program that is tested. */
export const VERSION = readFileSync(join(CHECKOUT, 'DRAUPNIR_VERSION'), 'utf8').trim();

/** An answer of the API. */
export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** The body as it came. */
  text: string;
  /** The body read as JSON; undefined when it is empty or is none. */
  json: unknown;
}

export interface ApiRequest {
  /** Whose token is sent: the developer's unless given; `none` sends no header, other text is sent as it is. */
  as?: 'developer' | 'upload' | 'none' | { authorization: string };
  /** Sent as the version header; the program's own unless given, null sends none. */
  version?: string | null;
  /** A text or bytes are sent as they are, all else as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  /** Over plain HTTP. */
  insecure?: boolean;
  signal?: AbortSignal;
}

export interface Image {
  id: number;
  ready: boolean;
  backedUpAt: string;
}

export interface Instance {
  id: number;
  imageId: number;
  port: number;
  createdAt: string;
  credentials: { ca: string; cert: string; key: string };
}

/** One who sends this token. */
export function withToken(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}

interface ImageBody {
  data: { id: string; attributes: { ready: boolean; backed_up_at: string } };
}
interface InstanceBody {
  data: { id: string; attributes: { image_id: number; port: number; created_at: string } };
  included: [{ attributes: { ca_certificate: string; client_certificate: string; client_key: string } }];
}

/** The HTTP API of an installation, by requests that hold exactly what a test says. */
export class Api {
  readonly #installation: Installation;
  readonly #ca: Buffer;

  constructor(installation: Installation) {
    this.#installation = installation;
    this.#ca = readFileSync(getApiCertificate(installation).certificate);
  }

  /** Sends a request; resolves whatever the status is. */
  send(method: string, path: string, request: ApiRequest = {}): Promise<Answer> {
    const { httpPort, httpsPort } = this.#installation;
    const options = { method, path, headers: buildHeaders(request), agent: false, signal: request.signal };
    const sent = request.insecure
      ? http.request({ ...options, host: '127.0.0.1', port: httpPort })
      : https.request({ ...options, host: 'localhost', port: httpsPort, ca: this.#ca });
    return new Promise((resolve, reject) => {
      sent.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: readJson(text),
          });
        });
      });
      sent.on('error', reject);
      sent.end(serialise(request.body));
    });
  }

  /** Makes an image as the upload user. */
  async createImage(anonymisationScript: string, verificationScript?: string): Promise<Image> {
    const attributes = {
      backed_up_at: '2026-05-01T12:00:00Z',
      anonymisation_script: anonymisationScript,
      ...(verificationScript !== undefined && { verification_script: verificationScript }),
    };
    const body = { data: { type: 'images', attributes } };
    return readImage(expectStatus(201, await this.send('POST', '/images', { as: 'upload', body })));
  }

  async getImage(id: number): Promise<Image> {
    return readImage(expectStatus(200, await this.send('GET', `/images/${id}`)));
  }

  /** Asks for the preparation; resolves whatever comes of it. */
  finaliseImage(id: number, signal?: AbortSignal): Promise<Answer> {
    return this.send('POST', `/images/${id}/done`, { as: 'upload', ...(signal && { signal }) });
  }

  async destroyImage(id: number): Promise<void> {
    expectStatus(204, await this.send('DELETE', `/images/${id}`, { as: 'upload' }));
  }

  async listImageIds(as: ApiRequest['as'] = 'developer'): Promise<number[]> {
    return readIds(expectStatus(200, await this.send('GET', '/images', { as })));
  }

  async createInstance(imageId: number, as: ApiRequest['as'] = 'developer'): Promise<Instance> {
    const body = { data: { type: 'instances', attributes: { image_id: String(imageId) } } };
    return readInstance(expectStatus(201, await this.send('POST', '/instances', { as, body })));
  }

  async getInstance(id: number, as: ApiRequest['as'] = 'developer'): Promise<Instance> {
    return readInstance(expectStatus(200, await this.send('GET', `/instances/${id}`, { as })));
  }

  async destroyInstance(id: number): Promise<void> {
    expectStatus(204, await this.send('DELETE', `/instances/${id}`, { as: 'upload' }));
  }

  async listInstanceIds(as: ApiRequest['as'] = 'developer'): Promise<number[]> {
    return readIds(expectStatus(200, await this.send('GET', '/instances', { as })));
  }
}

function buildHeaders(request: ApiRequest): Record<string, string> {
  const { as = 'developer', version = VERSION, headers } = request;
  const body = serialise(request.body);
  const tokens = { developer: `Bearer ${DEVELOPER}`, upload: `Bearer ${SECRET}`, none: undefined };
  const authorization = typeof as === 'string' ? tokens[as] : as.authorization;
  return {
    ...(version !== null && { 'Draupnir-Version': version }),
    ...(authorization !== undefined && { Authorization: authorization }),
    // With some methods Node would send the body and not say so.
    ...(body !== undefined && { 'Content-Length': String(Buffer.byteLength(body)) }),
    ...headers,
  };
}

function serialise(body: unknown): string | Buffer | undefined {
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) return body;
  return JSON.stringify(body);
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function expectStatus(status: number, answer: Answer): unknown {
  if (answer.status === status) return answer.json;
  throw new Error(`the API answered ${answer.status}, not ${status}: ${answer.text}`);
}

function readImage(json: unknown): Image {
  const { id, attributes } = (json as ImageBody).data;
  return { id: Number(id), ready: attributes.ready, backedUpAt: attributes.backed_up_at };
}

function readInstance(json: unknown): Instance {
  const { data, included } = json as InstanceBody;
  const { ca_certificate: ca, client_certificate: cert, client_key: key } = included[0].attributes;
  const { image_id: imageId, port, created_at: createdAt } = data.attributes;
  return { id: Number(data.id), imageId, port, createdAt, credentials: { ca, cert, key } };
}

function readIds(json: unknown): number[] {
  return (json as { data: { id: string }[] }).data.map(({ id }) => Number(id));
}
