/** A subvolume below the data directory. */
export interface Subvolume {
  /** Relative to the data directory, such as `instances/7`. */
  readonly path: string;
  readonly readOnly: boolean;
  /** Whether it lies in another subvolume, not in a folder of the data directory itself. */
  readonly nested: boolean;
  /** Number of a nested one, by which it can be deleted wherever its path leads by then; 0 if it is not known. */
  readonly id?: number;
}

/** Folders in which root alone makes things; those that start with `run_` are in the run directory. */
export type Folder =
  | 'image_uploads'
  | 'image_snapshots'
  | 'image_work'
  | 'instances'
  | 'instance_config'
  | 'run_images'
  | 'run_instances';

/** A thing in one of the folders. */
export interface Entry {
  readonly folder: Folder;
  readonly name: string;
  readonly ownerUid: number;
  /** Whether it is the root of a subvolume. */
  readonly subvolume: boolean;
  /** An empty directory; told of `instance_config` alone. */
  readonly empty: boolean;
}

/** What a snapshot of an image holds. */
export interface ImageState {
  readonly id: number;
  /** Made by Draupnir 5.3, which left its snapshots writable. */
  readonly original: boolean;
  /** `state` of pg_control; undefined when it cannot be read. */
  readonly controlState: number | undefined;
}

/** A process that lives; zombies do not count. */
export interface Process {
  readonly pid: number;
  readonly ppid: number;
  /** Real uid. */
  readonly uid: number;
  readonly ageS: number;
  readonly name: string;
}

/** The network as one process of an image under preparation sees it. */
export interface ImageNetwork {
  readonly pid: number;
  readonly uid: number;
  /** Whether it is in the host's network namespace. */
  readonly ofHost: boolean;
  readonly interfaces: readonly string[];
  /** TCP sockets that listen in its namespace. */
  readonly listeners: number;
}

export interface Listener {
  readonly family: 4 | 6;
  readonly port: number;
  readonly uid: number;
}

/** Ids of images and instances that root scripts are at work on. */
export interface Busy {
  readonly image: ReadonlySet<number>;
  readonly instance: ReadonlySet<number>;
}

/** Lines of `iptables -S` for INPUT and our chain in one family; undefined when our chain does not exist. */
export interface Firewall {
  readonly family: 4 | 6;
  readonly rules: readonly string[] | undefined;
}

/** Uids: base + id, below base + count. */
export interface UidRanges {
  readonly imageBase: number;
  readonly instanceBase: number;
  readonly count: number;
}

/** What is on the host at a moment; only names and numbers. */
export interface Inspection {
  readonly uids: UidRanges;
  readonly mount: { readonly type: string; readonly options: readonly string[]; readonly target: string };
  readonly space: { readonly freeBytes: number; readonly totalBytes: number };
  readonly subvolumes: readonly Subvolume[];
  readonly entries: readonly Entry[];
  readonly imageStates: readonly ImageState[];
  readonly processes: readonly Process[];
  /** Data directories in which processes work, as paths, by process id. */
  readonly workingIn: ReadonlyMap<number, string>;
  /** Recorded process ids of postmasters, by instance. */
  readonly postmasters: ReadonlyMap<number, number>;
  /** Instances that run without the filter of system calls, on a host that can have one. */
  readonly unfiltered: ReadonlySet<number>;
  readonly networks: readonly ImageNetwork[];
  readonly hasIpv6: boolean;
  readonly listeners: readonly Listener[];
  /** Name of our chain for who reaches instances. */
  readonly whitelistChain: string;
  readonly firewalls: readonly Firewall[];
  readonly busy: Busy;
}

/** Looks at the host. Changes nothing. */
export interface Inspector {
  inspect(): Promise<Inspection>;
}
