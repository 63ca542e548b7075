import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Answer, Instance } from '../support/api.ts';
import { Bystander } from '../support/bystander.ts';
import { run } from '../support/command.ts';
import { DatabaseProxy } from '../support/database-proxy.ts';
import { diagnose, summarise } from '../support/doctor.ts';
import { CONVERGENCE_LIMIT_MS, FULL, measureConvergence, recordFaults } from '../support/faults.ts';
import { query } from '../support/instance-client.ts';
import { CHAIN_PREFIX, getInstallation, INSTANCE_UID_BASE } from '../support/installation.ts';
import { isAcceptable, Load } from '../support/load.ts';
import { getMetadataCluster, queryMetadata } from '../support/metadata.ts';
import { Namespace } from '../support/namespace.ts';
import { listProcessesOf } from '../support/processes.ts';
import { Server } from '../support/server.ts';
import { writeServerConfig } from '../support/server-config.ts';
import { ANONYMISE } from '../support/source.ts';
import { upload } from '../support/upload.ts';
import { useServer } from '../support/use-server.ts';
import { waitUntil } from '../support/wait.ts';

// Group C of the fault matrix: the metadata database is gone, slow, cut off, or not what it was.

let proxy: DatabaseProxy;
beforeAll(async () => {
  proxy = await DatabaseProxy.start();
});
afterAll(() => proxy.stop());

const server = useServer(
  () => ({ databaseHost: proxy.dir }),
  // What rounds could not do without the database, they do when it is back.
  ({ err }) =>
    /metadata database cannot be reached/.test((err as { message?: string } | undefined)?.message ?? ''),
);
let bystander: Bystander;

beforeAll(async () => {
  bystander = new Bystander(await server.api.createInstance(inject('e2e').imageId));
});

/** Records that nobody was told of. */
async function countOrphans(known: readonly Instance[]): Promise<number> {
  const ids = (await queryMetadata('SELECT id FROM instances ORDER BY id')).split('\n').map(Number);
  return ids.filter((id) => !known.some((instance) => instance.id === id)).length;
}

/**
 * Waits until the API works again, there are no instances but those, and doctor finds nothing; resolves to how long that took,
 * and what was too many in the end.
 */
async function waitForDatabase(
  since: number,
  known: readonly Instance[],
): Promise<{ convergenceMs: number; orphans: number }> {
  await waitUntil('the server is ready', async () => {
    const answers = [await server.api.send('GET', '/ready'), await server.api.send('GET', '/instances')];
    return answers.every(({ status }) => status === 200);
  });
  let orphans = await countOrphans(known);
  while (orphans > 0 && performance.now() - since < CONVERGENCE_LIMIT_MS) orphans = await countOrphans(known);
  return { convergenceMs: await measureConvergence(since), orphans };
}

function expectRefused(answer: Answer): void {
  expect(answer).toMatchObject({ status: 503, json: { id: 'database_unavailable' } });
  expect(answer.headers['retry-after']).toBeDefined();
}

const REQUESTS: [string, string][] = [
  ['GET', '/images'],
  ['GET', '/images/1'],
  ['GET', '/instances'],
  ['GET', '/instances/1'],
  ['DELETE', '/instances/1'],
  ['DELETE', '/images/1'],
  ['POST', '/images/1/done'],
  ['POST', '/instances/1/credentials'],
];

describe('without its metadata database the server', () => {
  it('asks its clients to come again, never says that something is not there, and goes on when it is back', async ({
    task,
  }) => {
    const cluster = getMetadataCluster(getInstallation());
    const load = new Load(server.api, 2);
    await waitUntil('there is load', () => Promise.resolve(load.answered > 20));
    await cluster.stop();
    const ends = performance.now() + (FULL ? 60_000 : 2_000);
    let tried = 0;
    do {
      for (const [method, path] of REQUESTS) {
        expectRefused(await server.api.send(method, path, { as: 'upload' }));
        tried++;
      }
      expect(await server.api.send('GET', '/health_check')).toMatchObject({ status: 200 });
      expect(await server.api.send('GET', '/ready')).toMatchObject({
        status: 503,
        json: { parts: { database: { status: 'failing' } } },
      });
    } while (performance.now() < ends);
    await cluster.start();
    const since = performance.now();
    await waitUntil('it answers', async () => (await server.api.send('GET', '/instances')).status === 200);
    await load.stop();
    const { convergenceMs, orphans } = await waitForDatabase(since, [bystander.instance]);
    recordFaults(task, { group: 'C', tried, convergenceMs, orphans, stuck: 0 });
    expect(load.wrong).toEqual([]);
    expect(load.refused).toBeGreaterThan(0);
    expect(orphans).toBe(0);
    expect(convergenceMs).toBeLessThan(CONVERGENCE_LIMIT_MS);
  });

  it('that comes and goes loses nothing of what it was told', async ({ task }) => {
    const cluster = getMetadataCluster(getInstallation());
    const load = new Load(server.api, 3);
    const restarts = FULL ? 8 : 4;
    for (let count = 0; count < restarts; count++) {
      await cluster.stop();
      await cluster.start();
      const { answered } = load;
      // The fault itself: every two seconds.
      if (FULL) await delay(2000);
      else await waitUntil('there is load again', () => Promise.resolve(load.answered > answered + 20));
    }
    const since = performance.now();
    await load.stop();
    const { convergenceMs, orphans } = await waitForDatabase(since, [bystander.instance]);
    recordFaults(task, { group: 'C', tried: restarts, convergenceMs, orphans, stuck: 0 });
    expect(load.wrong).toEqual([]);
    expect(orphans).toBe(0);
    expect(convergenceMs).toBeLessThan(CONVERGENCE_LIMIT_MS);
  });

  it('gives whole lists or none when a connection is cut in the middle of a result', async ({ task }) => {
    const kept = [bystander.instance];
    for (let count = 0; count < 4; count++) kept.push(await server.api.createInstance(inject('e2e').imageId));
    const ids = kept.map(({ id }) => id).sort((a, b) => a - b);
    const load = new Load(server.api, 1);
    const before = proxy.cuts;
    let whole = 0;
    for (let bytes = 0; bytes < 3000; bytes += FULL ? 60 : 150) {
      proxy.cutAfter = bytes;
      proxy.cut();
      for (let count = 0; count < 2; count++) {
        const answer = await server.api.send('GET', '/instances');
        expect(isAcceptable(answer, [200])).toBe(true);
        if (answer.status !== 200) continue;
        const listed = (answer.json as { data: { id: string }[] }).data.map(({ id }) => Number(id));
        expect(listed).toEqual(expect.arrayContaining(ids));
        whole++;
      }
    }
    proxy.cutAfter = undefined;
    const since = performance.now();
    await load.stop();
    const { convergenceMs, orphans } = await waitForDatabase(since, kept);
    recordFaults(task, { group: 'C', tried: proxy.cuts - before, convergenceMs, orphans, stuck: 0 });
    expect(proxy.cuts - before).toBeGreaterThan(10);
    expect(whole).toBeGreaterThan(0);
    expect(load.wrong).toEqual([]);
    expect(orphans).toBe(0);
    expect(convergenceMs).toBeLessThan(CONVERGENCE_LIMIT_MS);
    for (const { id } of kept.slice(1)) await server.api.destroyInstance(id);
  });

  it('that is slow is slow, and right', async ({ task }) => {
    const instance = await server.api.createInstance(inject('e2e').imageId);
    proxy.delayMs = FULL ? 5000 : 1500;
    const answers = await Promise.all([
      server.api.send('GET', '/images'),
      server.api.send('GET', `/instances/${instance.id}`),
      server.api.send('GET', `/instances/${instance.id}`),
      server.api.send('DELETE', `/instances/${instance.id}`),
      server.api.send('POST', '/instances', {
        body: { data: { type: 'instances', attributes: { image_id: inject('e2e').imageId } } },
      }),
    ]);
    const [images, one, two, gone, made] = answers;
    proxy.delayMs = 0;
    expect(isAcceptable(images, [200])).toBe(true);
    // It is destroyed meanwhile.
    for (const answer of [one, two]) expect(isAcceptable(answer, [200, 404])).toBe(true);
    expect(isAcceptable(gone, [204])).toBe(true);
    expect(isAcceptable(made, [201])).toBe(true);
    for (const id of await server.api.listInstanceIds()) {
      if (id !== bystander.instance.id) await server.api.destroyInstance(id);
    }
    const { convergenceMs, orphans } = await waitForDatabase(performance.now(), [bystander.instance]);
    recordFaults(task, { group: 'C', tried: answers.length, convergenceMs, orphans, stuck: 0 });
    expect(orphans).toBe(0);
    expect(convergenceMs).toBeLessThan(CONVERGENCE_LIMIT_MS);
  });
});

describe('a database that was restored to an hour ago', () => {
  it('makes the server report what it does not know, and delete none of it', async ({ task }) => {
    const { imageId } = inject('e2e');
    const old = await server.api.createInstance(imageId);
    const image = await server.api.createImage(ANONYMISE);
    await upload(image.id, inject('e2e').backup);
    const cluster = getMetadataCluster(getInstallation());
    const dump = join(getInstallation().metadata, 'dump.sql');
    await cluster.run('pg_dump', '-h', cluster.dir, '-d', 'draupnir', '-f', dump);
    await server.api.destroyInstance(old.id);
    await server.api.destroyImage(image.id);
    const lost = await server.api.createInstance(imageId);
    await query(lost, `CREATE TABLE kept AS SELECT 'still here' AS note`);
    const lostImage = await server.api.createImage('');

    expect(await server.process.stop()).toBe(0);
    await cluster.query('postgres', 'DROP DATABASE draupnir WITH (FORCE)');
    await cluster.query('postgres', 'CREATE DATABASE draupnir');
    await cluster.run('psql', '-X', '-q', '-h', cluster.dir, '-d', 'draupnir', '-f', dump);
    await server.start();
    const since = performance.now();
    const state = async () => {
      const { json } = await server.api.send('GET', `/instances/${old.id}?fields[instances]=status,failure`);
      return (json as { data: { attributes: { status: string; failure: string | null } } }).data.attributes;
    };
    await waitUntil('what is gone is told', async () => (await state()).status === 'stopped');
    expect(await state()).toEqual({
      status: 'stopped',
      failure: 'its files are gone: destroy it and create another',
    });
    const foundMs = performance.now() - since;
    // The server tries to start it again and again, and its status changes: doctor tells of it all the same.
    const findings = summarise(await diagnose());
    expect(findings).toContainEqual(`I2 instance ${old.id}: subvolume instances/${old.id} is missing`);
    expect(findings).toContainEqual(`I2 instance ${lost.id}: subvolume instances/${lost.id} has no record`);
    expect(findings).toContainEqual(
      `I2 image ${lostImage.id}: subvolume image_uploads/${lostImage.id} has no record`,
    );
    expect(findings).toContainEqual(
      expect.stringMatching(`^I3 instance ${lost.id}: .* of its uid, though it has no record$`),
    );
    expect(findings).toContainEqual(`I2 image ${image.id}: subvolume image_uploads/${image.id} is missing`);
    expect(await server.api.finaliseImage(image.id)).toMatchObject({
      status: 422,
      json: { id: 'finalise_failed', detail: 'its upload is gone: destroy the image and make another' },
    });
    // Under the id of what is unknown nothing is made; asking again leads past it.
    const made = await waitUntil('another is made', async () => {
      const answer = await server.api.send('POST', '/instances', {
        body: { data: { type: 'instances', attributes: { image_id: imageId } } },
      });
      expect(isAcceptable(answer, [201])).toBe(true);
      return answer.status === 201 && Number((answer.json as { data: { id: string } }).data.id);
    });
    expect(made).not.toBe(lost.id);
    await diagnose('--fix');
    expect(await query(lost, 'SELECT note FROM kept')).toEqual(['still here']);

    // The operator does what doctor says.
    const { scripts } = getInstallation();
    await run([join(scripts, 'draupnir-destroy-instance'), String(lost.id)]);
    await run([join(scripts, 'draupnir-destroy-image'), String(lostImage.id)]);
    for (const id of [old.id, made]) await server.api.destroyInstance(id);
    await server.api.destroyImage(image.id);
    const convergenceMs = Math.max(foundMs, await measureConvergence(performance.now()));
    recordFaults(task, { group: 'C', tried: 4, convergenceMs, orphans: 0, stuck: 0 });
    expect(convergenceMs).toBeLessThan(CONVERGENCE_LIMIT_MS);
    expect(await listProcessesOf(INSTANCE_UID_BASE + lost.id)).toEqual([]);
  });
});

describe('the firewall of a server whose database is cut off', () => {
  it('keeps the rules it has', async ({ task }) => {
    expect(await server.process.stop()).toBe(0);
    const installation = getInstallation();
    const host = await Namespace.create('cut');
    // Enough of them that the result comes in several pieces.
    await queryMetadata(
      `INSERT INTO whitelisted_addresses (ip_address, instance_id, created_at, updated_at)
       SELECT '10.0.0.0'::inet + i, ${bystander.instance.id}, now(), now() FROM generate_series(1, 300) i`,
    );
    const network =
      'enable_ip_whitelisting = true\nwhitelist_reconcile_interval = "100ms"\nwhitelist_address_ttl = "1h"';
    const config = await writeServerConfig(installation, 'cut.toml', {
      databaseHost: proxy.dir,
      everywhere: true,
      network,
    });
    const guarded = await Server.start(installation, config, host);
    const countRules = async (): Promise<number> =>
      (await host.run(['iptables', '-S', `${CHAIN_PREFIX}-WHITELIST`])).match(
        /-s 10\.0\.\d+\.\d+\/32 .*-j ACCEPT/g,
      )?.length ?? 0;
    try {
      await waitUntil('the rules stand', async () => (await countRules()) === 300);
      const before = proxy.cuts;
      for (let bytes = 0; bytes < 24_000; bytes += FULL ? 1000 : 2000) {
        const cuts = proxy.cuts;
        proxy.cutAfter = bytes;
        proxy.cut();
        await waitUntil('a connection is cut', () => Promise.resolve(proxy.cuts > cuts + 1));
        expect(await countRules()).toBe(300);
      }
      proxy.cutAfter = undefined;
      const since = performance.now();
      await queryMetadata(`DELETE FROM whitelisted_addresses WHERE ip_address = '10.0.0.7'`);
      await waitUntil('rules follow the records again', async () => (await countRules()) === 299);
      const convergenceMs = performance.now() - since;
      recordFaults(task, { group: 'C', tried: proxy.cuts - before, convergenceMs, orphans: 0, stuck: 0 });
      expect(convergenceMs).toBeLessThan(CONVERGENCE_LIMIT_MS);
    } finally {
      proxy.cutAfter = undefined;
      await guarded.stop();
      await host.remove();
      await queryMetadata(`DELETE FROM whitelisted_addresses WHERE ip_address << '10.0.0.0/16'`);
      await server.start();
    }
  });
});

describe('an instance', () => {
  it('has not noticed any of it', async () => {
    const { answers, failures } = await bystander.stop();
    expect(failures).toEqual([]);
    expect(answers).toBeGreaterThan(100);
    expect(server.process.isRunning).toBe(true);
  });
});
