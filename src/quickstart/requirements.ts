import { succeeds } from './host.ts';
import { findPostgresPrograms } from './postgres-programs.ts';

/** Programs the set-up needs, with the Debian packages they come in. */
const PROGRAMS: Record<string, string> = {
  'mkfs.btrfs': 'btrfs-progs',
  sudo: 'sudo',
  psql: 'postgresql-client',
  setpriv: 'util-linux',
  useradd: 'passwd',
  pgrep: 'procps',
  lz4: 'lz4',
  xz: 'xz-utils',
  zstd: 'zstd',
};

/** Checks what the machine must have, before anything is made. Throws with all that is missing. */
export async function checkRequirements(): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new Error('quickstart needs root: it makes a volume, users and sudo rules of its own');
  }
  const missing: string[] = [];
  for (const [program, debianPackage] of Object.entries(PROGRAMS)) {
    if (!(await succeeds(['which', program]))) missing.push(debianPackage);
  }
  if (missing.length > 0) throw new Error(`missing: run apt-get install ${missing.join(' ')}`);
  await findPostgresPrograms();
}
