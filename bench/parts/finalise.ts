import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SCRIPT } from '../backup.ts';
import { run } from '../../spec/e2e/support/command.ts';
import { Cluster } from '../../spec/e2e/support/cluster.ts';
import { UPLOAD_USER } from '../../spec/e2e/support/installation.ts';
import type { Recorder } from '../results.ts';
import { measure } from '../statistics.ts';
import type { Workbench } from '../workbench.ts';

const SAMPLES = 15;
/** Fifteen would take more than a quarter of an hour. */
const LARGE_SAMPLES = 3;

/** Preparing an image of 200 MB. */
export async function benchFinalise(bench: Workbench, record: Recorder): Promise<void> {
  await repeat(bench, record, 200, bench.count(SAMPLES));
}

/** Preparing an image of 2 GB. */
export async function benchFinalise2Gb(bench: Workbench, record: Recorder): Promise<void> {
  await bench.backup.create(2000);
  const count = bench.quick ? 1 : LARGE_SAMPLES;
  await repeat(bench, record, 2000, count);
  record.note(`${count} samples, not 15: each takes minutes`);
}

async function repeat(bench: Workbench, record: Recorder, mb: number, count: number): Promise<void> {
  const label = mb === 2000 ? '2gb' : `${mb}mb`;
  for (let round = 0; round < count; round++) {
    record.add(`floor_${label}_ms`, await measureFloor(bench, mb));
    record.add(`ours_${label}_ms`, await measureOurs(bench, mb));
  }
}

async function measureOurs({ backup, api }: Workbench, mb: number): Promise<number> {
  const id = await backup.upload(mb);
  const { ms } = await measure(() => backup.prepare(id));
  await api.destroyImage(id);
  return ms;
}

/**
 * Unpacks by tar, runs the script on a Postgres with the settings that our preparation uses, and VACUUM (FULL) on each database.
 * The archive's files belong to the upload user, who therefore runs this Postgres.
 */
async function measureFloor(bench: Workbench, mb: number): Promise<number> {
  const { backup, installation } = bench;
  const dir = bench.floor.createPath();
  await run(['btrfs', '-q', 'subvolume', 'create', dir]);
  await run(['chown', `${UPLOAD_USER}:`, dir]);
  const cluster = new Cluster({
    postgres: installation.postgres,
    major: installation.debianMajor,
    dir,
    user: UPLOAD_USER,
  });
  const { ms } = await measure(async () => {
    await backup.unpack(mb, cluster.data);
    await run(['chown', `${UPLOAD_USER}:`, cluster.data]);
    await run(['chmod', '0700', cluster.data]);
    await configure(cluster.data);
    await cluster.start();
    await cluster.query('postgres', SCRIPT);
    for (const database of ['postgres', 'template1', 'shop']) {
      await cluster.query(database, 'VACUUM (FULL, FREEZE)');
    }
  });
  await cluster.stop();
  await run(['btrfs', '-q', 'subvolume', 'delete', dir]);
  return ms;
}

/** The settings of lib/image.sh that decide about speed. */
const SETTINGS = `shared_buffers = 256MB
maintenance_work_mem = 256MB
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
wal_recycle = off
wal_init_zero = off
fsync = off
full_page_writes = off
autovacuum = off
`;

async function configure(data: string): Promise<void> {
  const file = join(data, 'postgresql.conf');
  await writeFile(file, `${await readFile(file, 'utf8')}\n${SETTINGS}`);
}
