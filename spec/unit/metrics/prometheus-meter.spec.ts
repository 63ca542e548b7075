import { describe, expect, it } from 'vitest';
import type { ReadinessReport } from '../../../src/core/readiness.ts';
import { type MetricsSources, PrometheusMeter } from '../../../src/metrics/prometheus-meter.ts';

const WELL: ReadinessReport = { ready: true, parts: {}, names: ['database', 'egress'] };

function createMeter(changed: Partial<MetricsSources> = {}): PrometheusMeter {
  return new PrometheusMeter({
    countImages: () => Promise.resolve(new Map([['ready', 2]])),
    countInstances: () =>
      Promise.resolve(
        new Map([
          ['ready', 3],
          ['warm', 0],
        ]),
      ),
    measureVolume: () => Promise.resolve({ freeBytes: 7, totalBytes: 9 }),
    readiness: { check: () => Promise.resolve(WELL) },
    version: '5.4.0',
    ...changed,
  });
}

/** The lines of ours, but for bounds and descriptions. */
async function read(meter: PrometheusMeter): Promise<string[]> {
  const lines = (await meter.read()).split('\n');
  return lines.filter((line) => line.startsWith('draupnir_') && !line.includes('_bucket'));
}

const STANDING = [
  'draupnir_instance_restarts_total 0',
  'draupnir_build_info{version="5.4.0"} 1',
  'draupnir_ready 1',
  'draupnir_part_ready{part="database"} 1',
  'draupnir_part_ready{part="egress"} 1',
  'draupnir_images{state="ready"} 2',
  'draupnir_instances{state="ready"} 3',
  'draupnir_instances{state="warm"} 0',
  'draupnir_volume_free_bytes 7',
  'draupnir_volume_size_bytes 9',
];

describe('metrics for Prometheus', () => {
  it('are what stands, and what of the process is known', async () => {
    const meter = createMeter();
    expect(await read(meter)).toEqual(STANDING);
    expect(await meter.read()).toContain('process_resident_memory_bytes ');
    expect(meter.contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  });

  it('count what happens, in seconds', async () => {
    const meter = createMeter();
    meter.instanceCreated(150, false);
    meter.instanceCreated(250, false);
    meter.instanceCreated(20, true);
    meter.instanceNotCreated('no_free_port');
    meter.instanceRestarted();
    meter.preparationEnded(60_000, 'ready');
    meter.preparationEnded(1000, 'failed');
    meter.requestAnswered(30, { method: 'GET', route: '/images/:id', status: 200 });
    meter.requestAnswered(1, { method: 'GET', route: undefined, status: 404 });
    const lines = await read(meter);
    expect(lines).toEqual(
      expect.arrayContaining([
        'draupnir_instance_creation_seconds_sum{warm="false"} 0.4',
        'draupnir_instance_creation_seconds_count{warm="false"} 2',
        'draupnir_instance_creation_seconds_count{warm="true"} 1',
        'draupnir_instance_creation_failures_total{reason="no_free_port"} 1',
        'draupnir_instance_restarts_total 1',
        'draupnir_image_preparation_seconds_sum{outcome="ready"} 60',
        'draupnir_image_preparation_seconds_count{outcome="failed"} 1',
        'draupnir_http_request_seconds_sum{method="GET",route="/images/:id",status="200"} 0.03',
        'draupnir_http_request_seconds_count{method="GET",route="none",status="404"} 1',
      ]),
    );
    expect(await meter.read()).toContain(
      'draupnir_instance_creation_seconds_bucket{le="0.2",warm="false"} 1\n',
    );
  });

  it('have no value where one cannot be had, rather than an old one', async () => {
    let fails = false;
    const unless = <T>(value: T): Promise<T> =>
      fails ? Promise.reject(new Error('gone')) : Promise.resolve(value);
    const failing: ReadinessReport = {
      ...WELL,
      ready: false,
      parts: { database: { status: 'failing' }, egress: { status: 'off' } },
    };
    const meter = createMeter({
      countImages: () => unless(new Map([['ready', 2]])),
      countInstances: () =>
        unless(
          new Map([
            ['ready', 3],
            ['warm', 0],
          ]),
        ),
      measureVolume: () => unless({ freeBytes: 7, totalBytes: 9 }),
      readiness: { check: () => Promise.resolve(fails ? failing : WELL) },
    });
    expect(await read(meter)).toEqual(STANDING);
    fails = true;
    expect(await read(meter)).toEqual([
      'draupnir_instance_restarts_total 0',
      'draupnir_build_info{version="5.4.0"} 1',
      'draupnir_ready 0',
      'draupnir_part_ready{part="database"} 0',
      'draupnir_part_ready{part="egress"} 1',
    ]);
    fails = false;
    expect(await read(meter)).toEqual(STANDING);
  });

  it('are looked at once for those who ask at once', async () => {
    let looks = 0;
    const meter = createMeter({ countImages: () => Promise.resolve(new Map([['ready', ++looks]])) });
    const [first, second] = await Promise.all([meter.read(), meter.read()]);
    expect(second).toBe(first);
    expect(looks).toBe(1);
  });
});
