import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';

const INTERVAL_MS = 100;

/** Less than that left on the volume counts as full: what did not fit was given back when it failed. In bytes. */
const LOW_BYTES = 67_108_864;

/** Free space of a file system, at the worst moment seen. */
interface Lowest {
  freeBytes: number;
  sizeBytes: number;
}

/** Watches how much space a preparation leaves, since what did not fit is free again when the failure is known. */
export class SpaceMonitor {
  readonly #volume: string;
  readonly #lowest = new Map<string, Lowest>();
  #timer: NodeJS.Timeout | undefined;

  /** `volume` is a path on the volume. */
  constructor(volume: string) {
    this.#volume = volume;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#look(), INTERVAL_MS).unref();
  }

  /**
   * Which space was short: `volume`, or `temporary`, the private /tmp of the sandbox, where Postgres keeps the shared memory of
   * parallel queries as well.
   */
  async stop(): Promise<'volume' | 'temporary'> {
    clearInterval(this.#timer);
    await this.#look();
    const [volume, temporary] = [this.#lowest.get(this.#volume), this.#lowest.get(tmpdir())];
    if (volume && volume.freeBytes < LOW_BYTES) return 'volume';
    return temporary && temporary.freeBytes < temporary.sizeBytes / 2 ? 'temporary' : 'volume';
  }

  async #look(): Promise<void> {
    for (const path of [this.#volume, tmpdir()]) {
      const { bavail, blocks, bsize } = await statfs(path);
      const freeBytes = Math.min(bavail * bsize, this.#lowest.get(path)?.freeBytes ?? Infinity);
      this.#lowest.set(path, { freeBytes, sizeBytes: blocks * bsize });
    }
  }
}
