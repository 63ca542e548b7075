import type { Outcome } from './outcome.ts';

/** What is at `data_path`. */
export interface VolumeFacts {
  readonly dataPath: string;
  /** Why the scripts cannot work there; undefined when they can. */
  readonly fault: string | undefined;
  /** Mount options that keep files from acting on the host and are not set. */
  readonly missingOptions: readonly string[];
}

/** Whether the scripts can work on the volume, and nothing on it can be executed. */
export function* checkVolume({ dataPath, fault, missingOptions }: VolumeFacts): Generator<Outcome> {
  const at = { path: 'data_path', found: JSON.stringify(dataPath) };
  if (fault !== undefined) {
    yield { level: 'problem', ...at, message: `${fault}; mount the btrfs volume there, writable` };
    return;
  }
  if (missingOptions.length === 0) {
    yield { level: 'ok', ...at, message: 'is on btrfs' };
    return;
  }
  const options = missingOptions.join(',');
  const message = `is mounted without ${options}: add it in /etc/fstab and mount it again`;
  yield { level: 'warning', ...at, message };
}
