import { VERSION, VERSION_HEADER } from '../version.ts';
import { JSON_TYPE, type TokenBody } from '../wire.ts';
import { measureClock } from './clock.ts';
import {
  type Image,
  type Instance,
  LISTED_IMAGE_FIELDS,
  LISTED_INSTANCE_FIELDS,
  type ListedImage,
  type ListedInstance,
  MalformedAnswer,
  type OwnedByUser,
  type OwnedInstance,
  readImage,
  readInstance,
  readInstancesOfImage,
  readList,
  readListedImage,
  readListedInstance,
  readOne,
  readOwnedInstance,
  readToken,
} from './documents.ts';
import { CliError } from './failure.ts';
import type { Request } from './exchange.ts';
import { type Preparation, PREPARATION_FIELDS, readPreparation, waitForImage } from './preparation.ts';
import { type AnswerError, findApiError, readAnswer } from './read-answer.ts';
import { type Reply, sendRequest, type Transport } from './send-request.ts';
import { TIME_LIMITS } from './time-limits.ts';

/** Talks to one server as one user (contract: HTTP API). Every method throws `CliError` with a line for people. */
export class ApiClient {
  readonly #server: URL;
  readonly #token: string;
  readonly #verifyCertificate: boolean;
  readonly #transport: Transport;
  #clockAheadMs: number | undefined;

  /** `token` goes out as bearer token; when empty none is sent. */
  constructor(options: { server: URL; token: string; verifyCertificate: boolean } & Partial<Transport>) {
    if (!/^[\x21-\x7e]*$/.test(options.token)) {
      throw new CliError('the stored token holds characters that no token has', {
        hint: 'sign in: draupnir authenticate --force',
      });
    }
    this.#server = options.server;
    this.#token = options.token;
    this.#verifyCertificate = options.verifyCertificate;
    this.#transport = { limits: options.limits ?? TIME_LIMITS, env: options.env ?? process.env };
  }

  /** How far this machine's clock was ahead of the server's at the last answer, in milliseconds. */
  get clockAheadMs(): number | undefined {
    return this.#clockAheadMs;
  }

  /** The page that starts signing in; its outcome is handed to whoever waits in `createAccessToken` with this state. */
  getSignInUrl(state: string): string {
    const url = new URL('/authenticate', this.#server);
    url.searchParams.set('state', state);
    return url.href;
  }

  /** Waits, 60 s at most, until the person has signed in at `getSignInUrl(state)`. */
  async createAccessToken(state: string): Promise<TokenBody> {
    const body = document('access_tokens', { state });
    return await this.#call('POST', '/access_tokens', readToken, { body, wait: 'sign-in' });
  }

  /** Waits until the server has answered its health check, whatever the answer, or cannot be reached. */
  async awaitAnswer(): Promise<void> {
    await this.#call('GET', '/health_check', () => undefined).catch(() => undefined);
  }

  async listImages(): Promise<Image[]> {
    return await this.#call('GET', '/images', (answer) => readList(answer, readImage));
  }

  /** As `listImages`, with status, progress and failure. */
  async listImagesWithStatus(): Promise<ListedImage[]> {
    const path = `/images?fields[images]=${LISTED_IMAGE_FIELDS}`;
    return await this.#call('GET', path, (answer) => readList(answer, readListedImage));
  }

  /** The instances that users have of an image; for the upload user. */
  async listInstancesOfImage(id: number): Promise<OwnedByUser[]> {
    const path = `/images/${id}?fields[images]=instances`;
    return await this.#call('GET', path, (answer) => readOne(answer, readInstancesOfImage));
  }

  /** Finds the image a new instance should be made of: ready, and updated last. */
  async findLatestImage(): Promise<Image | undefined> {
    const ready = (await this.listImages()).filter((image) => image.ready);
    return ready.sort((a, b) => b.updatedAt.getTime() - a.updatedAt.getTime() || b.id - a.id)[0];
  }

  /** `backedUpAt` in RFC 3339; the scripts are SQL. */
  async createImage(
    backedUpAt: string,
    anonymisationScript: string,
    verificationScript?: string,
  ): Promise<Image> {
    const body = document('images', {
      backed_up_at: backedUpAt,
      anonymisation_script: anonymisationScript,
      // Servers of an earlier version know nothing of it.
      ...(verificationScript !== undefined && { verification_script: verificationScript }),
    });
    return await this.#call('POST', '/images', (answer) => readOne(answer, readImage), { body });
  }

  /** Replaces scripts of an image that is not ready yet; absent ones stay. */
  async correctImage(
    id: number,
    { anonymisation, verification }: { anonymisation?: string; verification?: string },
  ): Promise<void> {
    const body = document('images', {
      ...(anonymisation !== undefined && { anonymisation_script: anonymisation }),
      ...(verification !== undefined && { verification_script: verification }),
    });
    await this.#call('PATCH', `/images/${id}`, () => undefined, { body });
  }

  /**
   * Waits until the image is ready: minutes, for a large one. Asks the server not to make the request wait
   * for that, and looks again and again; a server that waits nevertheless is waited for.
   */
  async finaliseImage(id: number): Promise<Image> {
    return await waitForImage(
      {
        begin: async () => {
          const reply = await this.#send('POST', `/images/${id}/done`, { prefer: 'respond-async' });
          const image = this.#read(reply, (answer) => readOne(answer, readImage));
          return { image, status: reply.status === 202 ? 'finalising' : 'ready', failure: undefined };
        },
        look: () => this.#getPreparation(id),
        findError: () => this.#findFinaliseError(id),
      },
      this.#transport.limits,
    );
  }

  async destroyImage(id: number): Promise<void> {
    await this.#call('DELETE', `/images/${id}`, () => undefined);
  }

  async listInstances(): Promise<Instance[]> {
    return await this.#call('GET', '/instances', (answer) => readList(answer, readInstance));
  }

  /** As `listInstances`, with image, status and failure. */
  async listInstancesWithStatus(): Promise<ListedInstance[]> {
    const path = `/instances?fields[instances]=${LISTED_INSTANCE_FIELDS}`;
    return await this.#call('GET', path, (answer) => readList(answer, readListedInstance));
  }

  async getInstance(id: number): Promise<OwnedInstance> {
    return await this.#call('GET', `/instances/${id}`, readOwnedInstance);
  }

  async createInstance(imageId: number): Promise<OwnedInstance> {
    const body = document('instances', { image_id: String(imageId) });
    return await this.#call('POST', '/instances', readOwnedInstance, { body });
  }

  /** Gives the instance new credentials; the old ones are useless then. */
  async rotateInstance(id: number): Promise<OwnedInstance> {
    return await this.#call('POST', `/instances/${id}/credentials`, readOwnedInstance);
  }

  async destroyInstance(id: number): Promise<void> {
    await this.#call('DELETE', `/instances/${id}`, () => undefined);
  }

  async #getPreparation(id: number): Promise<Preparation> {
    return await this.#call('GET', `/images/${id}?${PREPARATION_FIELDS}`, readPreparation);
  }

  /** The error that a finalisation has ended with, from servers that report it. */
  async #findFinaliseError(id: number): Promise<AnswerError | undefined> {
    const reply = await this.#send('GET', `/images/${id}?fields%5Bimages%5D=error`);
    if (reply.status === 400) return undefined;
    const read = (document: unknown) =>
      (document as { data?: { attributes?: { error?: unknown } } } | null)?.data;
    return findApiError(this.#read(reply, read)?.attributes?.error, reply);
  }

  async #call<T>(
    method: Request['method'],
    path: string,
    read: (answer: unknown) => T,
    options: RequestOptions = {},
  ): Promise<T> {
    return this.#read(await this.#send(method, path, options), read);
  }

  async #send(method: Request['method'], path: string, options: RequestOptions = {}): Promise<Reply> {
    const reply = await sendRequest(
      {
        method,
        url: new URL(path, this.#server),
        headers: this.#headers(options),
        body: options.body,
        verifyCertificate: this.#verifyCertificate,
        wait: options.wait ?? (method === 'GET' ? 'short' : 'work'),
      },
      this.#transport,
    );
    this.#clockAheadMs = measureClock(reply.headers, reply.receivedAt);
    return reply;
  }

  #read<T>(reply: Reply, read: (answer: unknown) => T): T {
    const json = readAnswer(reply);
    try {
      return read(json);
    } catch (error) {
      if (!(error instanceof MalformedAnswer)) throw error;
      throw new CliError(`${reply.server} gave an answer that cannot be used: ${error.message}`, {
        hint: 'compare the versions of server and draupnir',
        cause: error,
      });
    }
  }

  #headers({ body, prefer }: RequestOptions): Record<string, string> {
    return {
      Accept: JSON_TYPE,
      [VERSION_HEADER]: VERSION,
      ...(this.#token === '' ? {} : { Authorization: `Bearer ${this.#token}` }),
      ...(body === undefined ? {} : { 'Content-Type': JSON_TYPE }),
      ...(prefer === undefined ? {} : { Prefer: prefer }),
    };
  }
}

interface RequestOptions {
  body?: string;
  wait?: Request['wait'];
  /** RFC 7240. */
  prefer?: string;
}

function document(type: string, attributes: Record<string, string>): string {
  return JSON.stringify({ data: { type, attributes } });
}
