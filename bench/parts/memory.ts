import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import autocannon from 'autocannon';
import { VERSION } from '../../spec/e2e/support/api.ts';
import { run } from '../../spec/e2e/support/command.ts';
import { readFootprint } from '../../spec/e2e/support/footprint.ts';
import { DEVELOPER, INSTANCE_UID_BASE } from '../../spec/e2e/support/installation.ts';
import { listProcessesOf } from '../../spec/e2e/support/processes.ts';
import type { Recorder } from '../results.ts';
import type { Workbench } from '../workbench.ts';

/** Instances that are looked at. */
const INSTANCES = 15;
/** By default there is a round every two seconds: an hour has 1800. */
const ROUNDS = 1800;
const ROUND_MS = 50;
/** How long an instance is left alone before it counts as idle. */
const SETTLE_MS = 10_000;

/** What the server and idle instances keep of the machine. */
export async function benchMemory(bench: Workbench, record: Recorder): Promise<void> {
  await measureServer(bench, record);
  await measureInstances(bench, record);
}

async function measureServer(bench: Workbench, record: Recorder): Promise<void> {
  await bench.start();
  const headers = { 'Draupnir-Version': VERSION, Authorization: `Bearer ${DEVELOPER}` };
  const url = `http://127.0.0.1:${bench.installation.httpPort}/images`;
  await autocannon({ url, connections: 16, amount: 1000, headers });
  record.add('server_after_1000_requests_mb', await readRssMb(bench));

  await bench.start({
    cleanInterval: '1s',
    network: `block_instance_egress = false\nreconcile_interval = "${ROUND_MS}ms"`,
  });
  record.add('server_before_idle_hour_mb', await readRssMb(bench));
  await delay(bench.quick ? 2000 : ROUNDS * ROUND_MS);
  record.add('server_after_idle_hour_mb', await readRssMb(bench));
  await bench.start();
}

async function measureInstances(bench: Workbench, record: Recorder): Promise<void> {
  const { api, imageId } = bench;
  const before = await readUsedMb(bench);
  const ids: number[] = [];
  for (let i = 0; i < INSTANCES; i++) ids.push((await api.createInstance(imageId)).id);
  await delay(bench.quick ? 1000 : SETTLE_MS);
  for (const id of ids) record.add('instance_mb', await readProportionalMb(INSTANCE_UID_BASE + id));
  record.add('instance_disk_mb', ((await readUsedMb(bench)) - before) / INSTANCES);
  record.note(`disk is what ${INSTANCES} instances add to the volume, metadata included, a mean of all`);
  for (const id of ids) await api.destroyInstance(id);
}

async function readRssMb(bench: Workbench): Promise<number> {
  return (await readFootprint(bench.server.pid)).rssMib;
}

/** Memory of all processes of a uid, what is shared in equal shares (proc_pid_smaps(5), Pss). */
async function readProportionalMb(uid: number): Promise<number> {
  const sizes = (await listProcessesOf(uid)).map(async ({ pid }) => {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
    return Number(/^Pss: +(\d+) kB$/m.exec(text)?.[1]) / 1024;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Space of the volume that is in use, once all is written. */
async function readUsedMb({ installation: { data } }: Workbench): Promise<number> {
  await run(['btrfs', '-q', 'subvolume', 'sync', data]);
  await run(['btrfs', '-q', 'filesystem', 'sync', data]);
  const usage = await run(['btrfs', 'filesystem', 'usage', '-b', data]);
  return Number(/^ +Used:\s+(\d+)$/m.exec(usage)?.[1]) / 1024 ** 2;
}
