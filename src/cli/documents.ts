import type { CredentialsResource, ImageResource, InstanceResource, TokenBody } from '../wire.ts';

/** An image as the commands need it. */
export interface Image {
  id: number;
  backedUpAt: Date;
  updatedAt: Date;
  ready: boolean;
}

/** An instance as the commands need it. */
export interface Instance {
  id: number;
  hostname: string;
  port: number;
  createdAt: Date;
}

/** What is being done to an image, as the server reports it: step `number` of `of`, counted from 1; 0 while queued. */
export interface Progress {
  step: string;
  number: number;
  of: number;
}

/** An image as a list on a terminal shows it; older servers send none of the additions. */
export interface ListedImage extends Image {
  status: string | undefined;
  /** Why the last finalisation failed. */
  failure: string | undefined;
  /** Present while it is finalised. */
  progress: Progress | undefined;
}

/** An instance as a list on a terminal shows it; older servers send no status. */
export interface ListedInstance extends Instance {
  imageId: number;
  status: string | undefined;
  /** Why it does not run. */
  failure: string | undefined;
}

/** An instance as the upload user sees it with its image. */
export interface OwnedByUser {
  id: number;
  /** E-mail address, or `upload`. */
  owner: string;
}

/** PEM texts with which an instance's owner connects. */
export interface Credentials {
  caCertificate: string;
  clientCertificate: string;
  clientKey: string;
}

/** An instance together with the credentials to connect to it. */
export interface OwnedInstance extends Instance {
  credentials: Credentials;
}

/** The server's answer does not have the shape of the API contract. */
export class MalformedAnswer extends Error {}

/** Reads the one resource of a document. Throws `MalformedAnswer`. */
export function readOne<T>(document: unknown, readResource: (resource: unknown) => T): T {
  return readResource(readRecord<{ data: unknown }>(document, 'the document').data);
}

/** Reads the resources of a list document. Throws `MalformedAnswer`. */
export function readList<T>(document: unknown, readResource: (resource: unknown) => T): T[] {
  const { data } = readRecord<{ data: unknown }>(document, 'the document');
  if (!Array.isArray(data)) throw new MalformedAnswer('data is not a list');
  return data.map(readResource);
}

/** Reads a resource of type images. Throws `MalformedAnswer`. */
export function readImage(resource: unknown): Image {
  const { id, attributes } = readResource<ImageResource>(resource);
  return {
    id: readId(id),
    backedUpAt: readTime(attributes.backed_up_at, 'backed_up_at'),
    updatedAt: readTime(attributes.updated_at, 'updated_at'),
    ready: attributes.ready === true,
  };
}

/** Reads a resource of type instances. Throws `MalformedAnswer`. */
export function readInstance(resource: unknown): Instance {
  const { id, attributes } = readResource<InstanceResource>(resource);
  const { port } = attributes;
  if (typeof port !== 'number' || !Number.isInteger(port)) throw new MalformedAnswer('port is not a number');
  return {
    id: readId(id),
    hostname: readText(attributes.hostname, 'hostname'),
    port,
    createdAt: readTime(attributes.created_at, 'created_at'),
  };
}

/** Attributes to ask for, by `fields[images]`, for {@link readListedImage}. */
export const LISTED_IMAGE_FIELDS = 'backed_up_at,updated_at,ready,status,failure,progress';

/** Reads a resource of type images that has {@link LISTED_IMAGE_FIELDS}. Throws `MalformedAnswer`. */
export function readListedImage(resource: unknown): ListedImage {
  const { status, failure, progress } = readExtraAttributes(resource);
  return {
    ...readImage(resource),
    status: findText(status),
    failure: findText(failure),
    progress: findProgress(progress),
  };
}

/** Attributes to ask for, by `fields[instances]`, for {@link readListedInstance}. */
export const LISTED_INSTANCE_FIELDS = 'hostname,image_id,port,created_at,status,failure';

/** Reads a resource of type instances that has {@link LISTED_INSTANCE_FIELDS}. Throws `MalformedAnswer`. */
export function readListedInstance(resource: unknown): ListedInstance {
  const { image_id: imageId, status, failure } = readExtraAttributes(resource);
  if (typeof imageId !== 'number') throw new MalformedAnswer('image_id is not a number');
  return { ...readInstance(resource), imageId, status: findText(status), failure: findText(failure) };
}

/** Reads attribute `instances` of an image; empty when an older server does not send it. Throws `MalformedAnswer`. */
export function readInstancesOfImage(resource: unknown): OwnedByUser[] {
  const { instances = [] } = readExtraAttributes(resource);
  if (!Array.isArray(instances)) throw new MalformedAnswer('instances is not a list');
  return instances.map((instance) => {
    const { id, owner } = readRecord<OwnedByUser>(instance, 'the instance');
    return { id: readId(id), owner: readText(owner, 'owner') };
  });
}

/** Reads an instance and the credentials included with it. Throws `MalformedAnswer`. */
export function readOwnedInstance(document: unknown): OwnedInstance {
  const { included } = readRecord<{ included: unknown }>(document, 'the document');
  if (!Array.isArray(included)) throw new MalformedAnswer('the credentials are missing');
  const { attributes } = readResource<CredentialsResource>(included[0]);
  return {
    ...readOne(document, readInstance),
    credentials: {
      caCertificate: readText(attributes.ca_certificate, 'ca_certificate'),
      clientCertificate: readText(attributes.client_certificate, 'client_certificate'),
      clientKey: readText(attributes.client_key, 'client_key'),
    },
  };
}

/** Reads the bare token of `POST /access_tokens`; what is absent becomes an empty text. Throws `MalformedAnswer`. */
export function readToken(body: unknown): TokenBody {
  const token = readRecord<TokenBody>(body, 'the token');
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return {
    access_token: text(token.access_token),
    token_type: text(token.token_type),
    refresh_token: text(token.refresh_token),
    expiry: text(token.expiry),
  };
}

/** What arrived under the keys of a wire shape: nothing is known of the values yet. */
type Unchecked<T> = Partial<Record<keyof T, unknown>>;

function readRecord<T>(value: unknown, name: string): Unchecked<T> {
  if (typeof value !== 'object' || value === null) throw new MalformedAnswer(`${name} is not an object`);
  return value;
}

function readResource<R extends { id: string; attributes: object }>(
  value: unknown,
): { id: unknown; attributes: Unchecked<R['attributes']> } {
  const { id, attributes } = readRecord<R>(value, 'the resource');
  return { id, attributes: readRecord<R['attributes']>(attributes, 'attributes') };
}

/** Attributes beyond the frozen set of the contract. */
function readExtraAttributes(resource: unknown): Partial<Record<string, unknown>> {
  return readResource<{ id: string; attributes: Record<string, unknown> }>(resource).attributes;
}

function findText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function findProgress(value: unknown): Progress | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { step, number, of } = value as Partial<Record<keyof Progress, unknown>>;
  return { step: readText(step, 'step'), number: Number(number), of: Number(of) };
}

function readId(value: unknown): number {
  if (typeof value !== 'string' || !/^[1-9][0-9]*$/.test(value)) throw new MalformedAnswer('id is not an id');
  return Number(value);
}

function readText(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '') throw new MalformedAnswer(`${name} is not a text`);
  return value;
}

function readTime(value: unknown, name: string): Date {
  const time = new Date(readText(value, name));
  if (Number.isNaN(time.getTime())) throw new MalformedAnswer(`${name} is not a time`);
  return time;
}
