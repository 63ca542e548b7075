import { basename, join } from 'node:path';

/** Where a preparation works. */
export interface Workplace {
  /** The throw-away clone of the upload: the data directory. Named after the image. */
  readonly work: string;
  /** A private directory for the socket and our own configuration. */
  readonly scratch: string;
  /** Directory of the installed majors. */
  readonly postgresRoot: string;
  /** Limit of memory for the preparation as a whole, in KiB. */
  readonly memoryKib: number;
  /** Files and directories that an upload may hold. */
  readonly maxFiles: number;
}

/** The workplace once it is known which major wrote the data directory. */
export interface Cluster extends Workplace {
  readonly major: number;
  /** Its programs. */
  readonly bin: string;
  /** Size of a segment of the write-ahead log, in bytes. */
  readonly walSegmentBytes: number;
}

export function createCluster(workplace: Workplace, major: string, walSegmentBytes: number): Cluster {
  const bin = join(workplace.postgresRoot, major, 'bin');
  return { ...workplace, major: Number(major), bin, walSegmentBytes };
}

export function getImageName({ work }: Workplace): string {
  return basename(work);
}
