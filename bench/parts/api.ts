import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import autocannon, { type Result } from 'autocannon';
import { VERSION } from '../../spec/e2e/support/api.ts';
import { run } from '../../spec/e2e/support/command.ts';
import { DEVELOPER, SERVER_USER } from '../../spec/e2e/support/installation.ts';
import { findFreePort } from '../../spec/e2e/support/ports.ts';
import type { Recorder } from '../results.ts';
import type { Workbench } from '../workbench.ts';

const SAMPLES = 15;
const CONNECTIONS = 16;
/** Of one sample, in seconds. */
const DURATION_S = 2;
/** Rows of `GET /images`. */
const IMAGES = 10;

/** Requests a second and the 99th percentile of the latency, over plain HTTP, beside a bare Fastify on the same Node. */
export async function benchApi(bench: Workbench, record: Recorder): Promise<void> {
  const { api, installation, imageId } = bench;
  const images: number[] = [];
  const present = (await api.listImageIds()).length;
  for (let i = present; i < IMAGES; i++) images.push((await api.createImage('SELECT 1;')).id);
  const { id } = await api.createInstance(imageId);
  const barePort = await findFreePort();
  const bare = await startBare(bench, barePort);
  const ours = `http://127.0.0.1:${installation.httpPort}`;
  const theirs = `http://127.0.0.1:${barePort}`;
  const urls = {
    bare: `${theirs}/bare`,
    health_check: `${ours}/health_check`,
    bare_query: `${theirs}/query`,
    images: `${ours}/images`,
    instance: `${ours}/instances/${id}`,
  };
  try {
    for (const url of Object.values(urls)) await fire(url, 1);
    const count = bench.count(SAMPLES);
    for (let round = 0; round < count; round++) {
      for (const [name, url] of Object.entries(urls)) {
        const { requests, latency } = await fire(url, bench.quick ? 1 : DURATION_S);
        record.add(`${name}_rps`, requests.average);
        record.add(`${name}_p99_ms`, latency.p99);
      }
    }
  } finally {
    bare.stdin?.end();
    await once(bare, 'exit');
  }
  await api.destroyInstance(id);
  for (const image of images) await api.destroyImage(image);
}

async function fire(url: string, duration: number): Promise<Result> {
  const headers = { 'Draupnir-Version': VERSION, Authorization: `Bearer ${DEVELOPER}` };
  const result = await autocannon({ url, connections: CONNECTIONS, duration, headers });
  if (result.errors > 0 || result.non2xx > 0) {
    throw new Error(`${url}: ${result.errors} errors, ${result.non2xx} refusals`);
  }
  return result;
}

async function startBare({ installation }: Workbench, port: number): Promise<ChildProcess> {
  const program = join(import.meta.dirname, '../bare-server.ts');
  const uid = (await run(['id', '-u', SERVER_USER])).trim();
  const args = [program, String(port), installation.metadata, SERVER_USER, uid];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}
