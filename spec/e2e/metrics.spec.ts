import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readHostState } from './support/host-state.ts';
import { DatabaseProxy } from './support/database-proxy.ts';
import { getInstallation, INSTANCE_PORTS, INSTANCE_UID_BASE } from './support/installation.ts';
import { listProcessesOf, signal } from './support/processes.ts';
import { upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

let proxy: DatabaseProxy;
beforeAll(async () => {
  proxy = await DatabaseProxy.start();
});
afterAll(() => proxy.stop());

const { min } = INSTANCE_PORTS;
const server = useServer(
  () => ({ metrics: true, databaseHost: proxy.dir, ports: { min, max: min + 2 } }),
  // While the database is away.
  ({ err }) =>
    /metadata database cannot be reached/.test((err as { message?: string } | undefined)?.message ?? ''),
);

/** Values by name and labels. */
async function read(): Promise<Record<string, number>> {
  const answer = await fetch(`http://127.0.0.1:${getInstallation().metricsPort}/metrics`);
  expect(answer.status).toBe(200);
  const lines = (await answer.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

describe('the metrics', () => {
  it('tell what there is, and what is done', async () => {
    expect(await read()).toMatchObject({
      draupnir_ready: 1,
      'draupnir_part_ready{part="database"}': 1,
      'draupnir_images{state="ready"}': 1,
      'draupnir_instances{state="ready"}': 0,
      draupnir_instance_restarts_total: 0,
    });
    const { imageId } = inject('e2e');
    const instance = await server.api.createInstance(imageId);
    await server.api.createInstance(imageId);
    const none = await server.api.send('POST', '/instances', {
      body: { data: { type: 'instances', attributes: { image_id: imageId } } },
    });
    expect(none.status).toBe(503);
    for (const { pid } of await listProcessesOf(INSTANCE_UID_BASE + instance.id)) signal(pid, 'SIGKILL');
    await waitUntil(
      'it was started again',
      async () => (await read())['draupnir_instance_restarts_total'] === 1,
    );

    const metrics = await read();
    expect(metrics).toMatchObject({
      'draupnir_instances{state="ready"}': 2,
      'draupnir_instance_creation_seconds_count{warm="false"}': 2,
      'draupnir_instance_creation_failures_total{reason="no_free_port"}': 1,
      'draupnir_http_request_seconds_count{method="POST",route="/instances",status="201"}': 2,
      'draupnir_http_request_seconds_count{method="POST",route="/instances",status="503"}': 1,
    });
    expect(metrics['draupnir_volume_free_bytes']).toBeGreaterThan(0);
    expect(metrics['draupnir_volume_size_bytes']).toBeGreaterThan(metrics['draupnir_volume_free_bytes'] ?? 0);
  });

  it('tell of preparations, good and bad', async () => {
    for (const script of ['SELECT 1;', 'SELECT nothing;']) {
      const { id } = await server.api.createImage(script);
      await upload(id, inject('e2e').backup);
      await server.api.finaliseImage(id);
    }
    expect(await read()).toMatchObject({
      'draupnir_images{state="ready"}': 2,
      'draupnir_images{state="failed"}': 1,
      'draupnir_image_preparation_seconds_count{outcome="ready"}': 1,
      'draupnir_image_preparation_seconds_count{outcome="failed"}': 1,
    });
  });

  it('are there while the database is not, and lie about nothing then', async () => {
    proxy.cutAfter = 1;
    proxy.cut();
    const away = await waitUntil('it is told', async () => {
      const metrics = await read();
      return metrics['draupnir_part_ready{part="database"}'] === 0 && metrics;
    });
    expect(away).toMatchObject({ draupnir_ready: 0, 'draupnir_part_ready{part="data_path"}': 1 });
    expect(Object.keys(away).filter((name) => name.startsWith('draupnir_instances'))).toEqual([]);
    proxy.cutAfter = undefined;
    await waitUntil('it is back', async () => (await read())['draupnir_instances{state="ready"}'] === 2);
  });

  it('name nobody, and have no more lines whatever strangers ask for', async () => {
    // Node's own come and go with kinds of garbage collection and of open handles.
    const countOwn = (all: object): number =>
      Object.keys(all).filter((name) => name.startsWith('draupnir_')).length;
    const count = countOwn(await read());
    for (let i = 0; i < 20; i++) {
      await server.api.send('GET', `/nothing/${i}`);
      await server.api.send('GET', `/images/${1000 + i}`);
    }
    const metrics = await read();
    // A histogram of each of the two answers.
    expect(countOwn(metrics) - count).toBeLessThanOrEqual(2 * 12);
    expect(JSON.stringify(metrics)).not.toMatch(/@|integration-test|nothing/);
  });

  it('are not for those who reach the API', async () => {
    expect((await server.api.send('GET', '/metrics')).status).toBe(404);
    expect((await readHostState()).scripts).toEqual([]);
  });
});
