/**
 * - `creating`: nobody has been told of it yet
 * - `ready`: runs, or is to run
 * - `destroying`: going away
 */
export type InstanceStatus = 'creating' | 'ready' | 'destroying';

/** A writable copy of an image with a Postgres process of its own. */
export interface Instance {
  readonly id: number;
  readonly imageId: number;
  readonly port: number;
  /** Owner; nobody else may know that the instance exists. */
  readonly userEmail: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly status: InstanceStatus;
}

/** PEM texts. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** Certificate authority of one instance, with the one server and the one client it vouches for. */
export interface CertificateChain {
  readonly ca: KeyPair;
  readonly server: KeyPair;
  readonly client: KeyPair;
}

/** What is kept of a chain: the server's key lives with the instance alone. */
export type Credentials = Pick<CertificateChain, 'ca' | 'client'>;

/** What an owner needs to connect. */
export interface ClientCredentials {
  readonly ca: Pick<KeyPair, 'certificate'>;
  readonly client: KeyPair;
}

/** Ports instances may have: from `min`, below `max`. */
export interface PortRange {
  readonly min: number;
  readonly max: number;
}

/** Instances in the metadata database. */
export interface InstanceStore {
  /**
   * Makes a record in state `creating` with a free port of the range that is not in `avoid`. Throws `no_free_port`, or
   * `image_not_ready` when the image has stopped being ready.
   */
  insert(
    instance: { imageId: number; userEmail: string; sessionId?: number },
    range: PortRange,
    avoid: ReadonlySet<number>,
  ): Promise<Instance>;
  find(id: number): Promise<Instance | undefined>;
  /** Those of one owner that are ready, ordered by id. */
  listByOwner(userEmail: string): Promise<Instance[]>;
  listByImage(imageId: number): Promise<Instance[]>;
  /** All, in every state, ordered by id. */
  list(): Promise<Instance[]>;
  /** Makes a created instance visible, with its sealed credentials, in one write. */
  open(id: number, credentials: Buffer): Promise<Instance>;
  /** Sealed credentials; undefined when there are none. */
  findCredentials(id: number): Promise<Buffer | undefined>;
  /** Marks as going away; false when there is no such record. */
  markDestroying(id: number): Promise<boolean>;
  delete(id: number): Promise<void>;
}

/** An instance whose Postgres is starting and admits nobody but this host. */
export interface StartedInstance {
  /** Process id of the postmaster. */
  readonly pid: number;
  /** Admits the world. Resolves when Postgres has been told. */
  open(): Promise<void>;
  /** Removes all that was made. Resolves when it is gone. */
  abandon(): Promise<void>;
}

/** Instances on disk and as processes. */
export interface InstanceStorage {
  createInstance(
    instance: Pick<Instance, 'id' | 'imageId' | 'port'>,
    chain: CertificateChain,
  ): Promise<StartedInstance>;
  /** Starts one that exists; resolves to the postmaster's process id. One that runs is left alone. */
  startInstance(id: number): Promise<number>;
  destroyInstance(id: number): Promise<void>;
  /** Credentials of an instance that Draupnir 5.3 made, from where it kept them. */
  readAdoptedCredentials(id: number): Promise<ClientCredentials>;
}

/** The proof that only the client of an instance gets in. */
export interface InstanceProof {
  /**
   * Waits until Postgres is ready and proves: mutual TLS works and reaches this very instance; plaintext, a missing
   * certificate and another user are refused for that reason. Throws when any of it does not hold in time.
   */
  prove(
    instance: Pick<Instance, 'id' | 'port'>,
    credentials: Credentials,
    process: { pid: number },
  ): Promise<void>;
}

/** Ports of this host. */
export interface PortProbe {
  /** Whether nobody listens on the port, neither on IPv4 nor on IPv6. */
  isFree(port: number): Promise<boolean>;
}

/** Encrypts what must not be readable in the metadata database. */
export interface Sealer {
  seal(plain: Buffer, context: string): Buffer;
  /** Throws when the box was not sealed with this key for this context. */
  unseal(box: Buffer, context: string): Buffer;
}
