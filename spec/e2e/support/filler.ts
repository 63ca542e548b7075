import { mkdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { run, runCommand } from './command.ts';
import { getInstallation } from './installation.ts';

const MIB = 1024 ** 2;
/** Sizes of single files, in MiB: what is left is filled more and more closely. */
const SIZES = [1024, 256, 64, 16, 4, 1];

/** Takes the room of the data volume. Extents are reserved and not written, so that it takes no room of the host's disk. */
export class Filler {
  #count = 0;

  /** Leaves at most about so many MiB; with 0 not even the last one. */
  async fill(leaveMib: number): Promise<void> {
    await mkdir(this.#dir, { recursive: true });
    for (const size of SIZES) {
      while ((await getFreeMib()) >= leaveMib + size && (await this.#allocate(size)));
    }
  }

  /** Fills what the file system keeps for names and its own trees; `fill(0)` has left it no other room to grow into. */
  async fillMetadata(): Promise<void> {
    await mkdir(this.#dir, { recursive: true });
    const folder = join(this.#dir, `links-${this.#count++}`);
    const { stdout } = await runCommand(['perl', '-e', LINKS, folder]);
    if (!stdout.includes('No space left on device'))
      throw new Error('the metadata of the volume did not run full');
  }

  /** Makes room again. */
  async release(): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
    await run(['btrfs', 'filesystem', 'sync', getInstallation().data]);
  }

  get #dir(): string {
    return join(getInstallation().data, 'filler');
  }

  async #allocate(size: number): Promise<boolean> {
    const file = join(this.#dir, `large-${this.#count++}`);
    return (await runCommand(['fallocate', '-l', `${size}MiB`, file])).exitCode === 0;
  }
}

/** The text of a symbolic link lies among the metadata, and needs no room where data would go. */
const LINKS = `
  my ($folder) = @ARGV;
  mkdir $folder or die "$!\\n";
  my $text = 'x' x 4000;
  for (my $i = 0; symlink($text, "$folder/$i"); $i++) {}
  print "$!\\n";
`;

/** Data on the volume, in MiB; names and the file system's own trees do not count. */
export async function getUsedMib(): Promise<number> {
  const table = await run(['btrfs', '--format', 'text', 'filesystem', 'df', '-b', getInstallation().data]);
  return Number(/^Data, .*used=([0-9]+)/m.exec(table)?.[1]) / MIB;
}

/** What the file system says is free for everybody, in MiB. */
export async function getFreeMib(): Promise<number> {
  const { bavail, bsize } = await statfs(getInstallation().data);
  return (bavail * bsize) / MIB;
}
