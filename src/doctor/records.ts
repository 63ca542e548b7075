/** States of images and instances as the metadata database has them; those of a newer server are unknown text. */
export interface ImageRecord {
  readonly id: number;
  readonly status: string;
  /** Milliseconds since the last change, by the database's clock. */
  readonly ageMs: number;
}

export interface InstanceRecord {
  readonly id: number;
  readonly imageId: number;
  readonly port: number;
  readonly userEmail: string;
  readonly status: string;
  readonly ageMs: number;
  /** Sealed; null for an instance of Draupnir 5.3. */
  readonly credentials: Buffer | null;
  /** Whether another instance has its port, both of them made by Draupnir 5.3. */
  readonly portTaken?: boolean;
}

/** An address from which connections to an instance are to be admitted. */
export interface AddressRecord {
  readonly instanceId: number;
  /** Without a mask. */
  readonly address: string;
}

/** What the metadata database says at one moment. */
export interface Records {
  readonly images: readonly ImageRecord[];
  readonly instances: readonly InstanceRecord[];
  readonly addresses: readonly AddressRecord[];
  /** Whether a server holds the lock of the database. */
  readonly serverRuns: boolean;
}

/** Reads the records, all of them of the same moment. */
export interface RecordSource {
  read(): Promise<Records>;
}
