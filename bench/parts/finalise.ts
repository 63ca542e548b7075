import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { SCRIPT } from '../backup.ts';
import { run } from '../../spec/e2e/support/command.ts';
import { Cluster } from '../../spec/e2e/support/cluster.ts';
import { UPLOAD_USER } from '../../spec/e2e/support/installation.ts';
import type { Recorder } from '../results.ts';
import { inTurn, measure } from '../statistics.ts';
import type { Workbench } from '../workbench.ts';

const SAMPLES = 15;
/** Fifteen would take more than a quarter of an hour. */
const LARGE_SAMPLES = 3;
/** The size of another build's backup. */
const OTHER_MB = 200;

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
    await inTurn(
      round,
      async () => record.add(`ours_${label}_ms`, await measureOurs(bench, mb)),
      async () => {
        if (!bench.other || mb !== OTHER_MB) return;
        // Our volume must not be writing meanwhile.
        await bench.settle();
        record.add(`other_${label}_ms`, await bench.other.finalise());
      },
    );
  }
}

/** Milliseconds of a preparation, from an upload that is on the disk. */
export async function measureOurs(bench: Workbench, mb: number): Promise<number> {
  const { backup, api } = bench;
  const id = await backup.upload(mb);
  await bench.settle();
  const { ms } = await measure(() => backup.prepare(id));
  await api.destroyImage(id);
  return ms;
}

/**
 * Unpacks an upload by tar, runs the script on a Postgres with the settings that our preparation uses, and VACUUM (FULL) on each database.
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
  const archive = join(dir, 'backup.tar');
  await backup.copy(mb, archive);
  await mkdir(cluster.data);
  const buffers = sizeBuffers();
  await bench.settle();
  const { ms } = await measure(async () => {
    await run(['tar', '-x', '-f', archive, '-C', cluster.data]);
    await run(['chown', `${UPLOAD_USER}:`, cluster.data]);
    await run(['chmod', '0700', cluster.data]);
    await configure(cluster.data, buffers);
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
const SETTINGS = `maintenance_work_mem = 256MB
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
wal_recycle = off
wal_init_zero = off
fsync = off
full_page_writes = off
autovacuum = off
`;

/** As a preparation has it with the default of host.conf: a quarter of 4 GiB, at most an eighth of the host's memory; in MB. */
function sizeBuffers(): number {
  return Math.floor(Math.min(1024, totalmem() / 8 / 2 ** 20));
}

async function configure(data: string, buffers: number): Promise<void> {
  const file = join(data, 'postgresql.conf');
  await writeFile(file, `${await readFile(file, 'utf8')}\nshared_buffers = ${buffers}MB\n${SETTINGS}`);
}
