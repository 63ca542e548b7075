/**
 * - `creating`: nobody has been told of it yet
 * - `ready`: runs
 * - `stopped`: its Postgres has ended; it is being started again
 * - `failed`: it could not be started again several times in a row; tried again from time to time
 * - `destroying`: going away
 */
export type InstanceStatus = 'creating' | 'ready' | 'stopped' | 'failed' | 'destroying';

/** States in which an instance exists for its owner. */
export const OWNED: readonly InstanceStatus[] = ['ready', 'stopped', 'failed'];

/** Owner of an instance that was made in advance and was given to nobody yet. Never the name of a caller. */
export const NOBODY = '';

/** Whose an instance is, and the session it was created with, if any. */
export interface Owner {
  readonly userEmail: string;
  readonly sessionId?: number;
}

/** A writable copy of an image with a Postgres process of its own. */
export interface Instance {
  readonly id: number;
  readonly imageId: number;
  readonly port: number;
  /** Owner; nobody else may know that the instance exists. `NOBODY` as long as it waits for one. */
  readonly userEmail: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly status: InstanceStatus;
  /** Why it does not run; present in states `stopped` and `failed`. */
  readonly failure: string | undefined;
  /**
   * Whether another instance has its port: Draupnir 5.3 could give one port to two, of which one alone can
   * listen. The other is never started; it can be destroyed.
   */
  readonly portTaken?: boolean;
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
    instance: Owner & { imageId: number },
    range: PortRange,
    avoid: ReadonlySet<number>,
  ): Promise<Instance>;
  find(id: number): Promise<Instance | undefined>;
  /** Those of one owner that exist for him, ordered by id. */
  listByOwner(userEmail: string): Promise<Instance[]>;
  listByImage(imageId: number): Promise<Instance[]>;
  /** All, in every state, ordered by id. */
  list(): Promise<Instance[]>;
  /**
   * Those that were made in advance and wait for an owner, the one that waits longest first; also while they do not run or go
   * away. What Draupnir 5.3 made is never among them, whoever owns it.
   */
  listWarm(): Promise<Instance[]>;
  /**
   * Gives one of these to an owner, the one that waits longest: it is as if being created by him, from now on. Callers at once
   * get different ones. Undefined when none is ready any more, or when the image is not.
   */
  claimWarm(imageId: number, ids: readonly number[], owner: Owner): Promise<Instance | undefined>;
  /** Moves one that waits for an owner to `destroying`; false when it has got one, or is gone. */
  retireWarm(id: number): Promise<boolean>;
  /** Makes a created instance visible, with its sealed credentials, in one write. Without any it keeps those it has. */
  open(id: number, credentials?: Buffer): Promise<Instance>;
  /** Sealed credentials; undefined when there are none. */
  findCredentials(id: number): Promise<Buffer | undefined>;
  /** Moves an instance from one of the states `from` to `to` (compare and set); false when it is in none of them or gone. */
  transition(
    id: number,
    from: readonly InstanceStatus[],
    to: InstanceStatus,
    failure?: string,
  ): Promise<boolean>;
  delete(id: number): Promise<void>;
}

/** The records that Draupnir 5.3 left with one port for several. */
export interface SharedPortStore {
  /** Instances that have the same port, in groups, where it is not settled yet which of them holds it. */
  listSharedPorts(): Promise<Instance[][]>;
  /**
   * Settles that: the others that have the port are `failed` for this reason, and `portTaken`. May be done
   * twice.
   */
  assignPort(port: number, holder: number, failure: string): Promise<void>;
}

/** An instance whose Postgres is starting and admits nobody but this host. */
export interface StartedInstance {
  /** Process id of the postmaster. */
  readonly pid: number;
  /** Whether Postgres is known to take connections. */
  readonly ready?: boolean;
  /** Admits the world. Resolves when Postgres has been told. */
  open(): Promise<void>;
  /**
   * Undoes the start: a new instance is removed, one that existed is stopped. Resolves when that is done, to what Postgres
   * gave as its reason, if anything; throws `insufficient_disk` when it could not write.
   */
  abandon(): Promise<string | undefined>;
}

/** Postmasters of the instances, seen from outside. */
export interface Postmasters {
  /** Remembers which process is the postmaster of an instance. */
  remember(id: number, pid: number): Promise<void>;
  /** Whether that very process goes on and is not suspended; false for an instance that was not remembered. */
  isAlive(id: number): Promise<boolean>;
  forget(id: number): void;
}

/** Instances on disk and as processes. */
export interface InstanceStorage {
  /** Begins before the certificates are there. */
  createInstance(
    instance: Pick<Instance, 'id' | 'imageId' | 'port'>,
    chain: Promise<CertificateChain>,
  ): Promise<StartedInstance>;
  /**
   * Starts one that exists; one that runs is left alone, and only its process id comes back. Throws `instance_failed` when
   * there is nothing to start.
   */
  startInstance(id: number): Promise<StartedInstance | { pid: number }>;
  destroyInstance(id: number): Promise<void>;
  /** Credentials of an instance that Draupnir 5.3 made, from where it kept them. */
  readAdoptedCredentials(id: number): Promise<ClientCredentials>;
}

/** The main process of an instance, and whether it is known to take connections. */
export interface Postmaster {
  pid: number;
  ready?: boolean;
}

/** The proof that only the client of an instance gets in. */
export interface InstanceProof {
  /**
   * Waits until Postgres is ready, unless it is known to be, and proves: mutual TLS works and reaches this very instance; plaintext, a missing
   * certificate and another user are refused for that reason. Throws when any of it does not hold in time. Of one that is still being started
   * it prepares what it can.
   */
  prove(
    instance: Pick<Instance, 'id' | 'port'>,
    credentials: Credentials,
    process: Postmaster | Promise<Postmaster>,
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
