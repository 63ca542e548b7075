import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Meter } from '../core/meter.ts';
import type { Readiness } from '../core/readiness.ts';
import { SingleFlight } from '../core/single-flight.ts';

/** What is looked at whenever somebody reads. Each may fail, and ends within seconds. */
export interface MetricsSources {
  /** How many there are, by state. */
  countImages: () => Promise<ReadonlyMap<string, number>>;
  countInstances: () => Promise<ReadonlyMap<string, number>>;
  /** In bytes. */
  measureVolume: () => Promise<{ freeBytes: number; totalBytes: number }>;
  readiness: Pick<Readiness, 'check'>;
  version: string;
}

/** Upper bounds in seconds: a creation takes tens to hundreds of milliseconds, a preparation seconds to hours. */
const CREATION_BUCKETS = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60];
const PREPARATION_BUCKETS = [5, 15, 60, 300, 900, 1800, 3600, 7200, 14_400, 21_600];
const REQUEST_BUCKETS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600];

/**
 * Metrics for Prometheus, in its text format (https://prometheus.io/docs/instrumenting/exposition_formats/). Names and units are as it
 * recommends. No label holds what a client chooses, or who somebody is.
 */
export class PrometheusMeter implements Meter {
  readonly contentType: string;
  readonly #registry = new Registry();
  readonly #reading = new SingleFlight<'all', string>();
  readonly #creations: Histogram<'warm'>;
  readonly #failedCreations: Counter<'reason'>;
  readonly #restarts: Counter;
  readonly #preparations: Histogram<'outcome'>;
  readonly #requests: Histogram<'method' | 'route' | 'status'>;

  constructor(sources: MetricsSources) {
    const registers = [this.#registry];
    this.contentType = this.#registry.contentType;
    collectDefaultMetrics({ register: this.#registry });
    this.#creations = new Histogram({
      name: 'draupnir_instance_creation_seconds',
      help: 'Time to create an instance for a user; warm ones had been made in advance',
      labelNames: ['warm'],
      buckets: CREATION_BUCKETS,
      registers,
    });
    this.#failedCreations = new Counter({
      name: 'draupnir_instance_creation_failures_total',
      help: 'Instances that were asked for and could not be created, by the id of the error',
      labelNames: ['reason'],
      registers,
    });
    this.#restarts = new Counter({
      name: 'draupnir_instance_restarts_total',
      help: 'Instances whose Postgres had ended and was started again',
      registers,
    });
    this.#preparations = new Histogram({
      name: 'draupnir_image_preparation_seconds',
      help: 'Time to prepare an image, by its outcome',
      labelNames: ['outcome'],
      buckets: PREPARATION_BUCKETS,
      registers,
    });
    this.#requests = new Histogram({
      name: 'draupnir_http_request_seconds',
      help: 'Time to answer a request of the API',
      labelNames: ['method', 'route', 'status'],
      buckets: REQUEST_BUCKETS,
      registers,
    });
    this.#addGauges(sources);
  }

  instanceCreated(durationMs: number, warm: boolean): void {
    this.#creations.observe({ warm: String(warm) }, durationMs / 1000);
  }

  instanceNotCreated(reason: string): void {
    this.#failedCreations.inc({ reason });
  }

  instanceRestarted(): void {
    this.#restarts.inc();
  }

  preparationEnded(durationMs: number, outcome: 'ready' | 'failed'): void {
    this.#preparations.observe({ outcome }, durationMs / 1000);
  }

  requestAnswered(
    durationMs: number,
    request: { method: string; route: string | undefined; status: number },
  ): void {
    const { method, route = 'none', status } = request;
    this.#requests.observe({ method, route, status: String(status) }, durationMs / 1000);
  }

  /** All of it, as it is now. Those who ask at once share one look. */
  read(): Promise<string> {
    return this.#reading.run('all', () => this.#registry.metrics());
  }

  #addGauges({ countImages, countInstances, measureVolume, readiness, version }: MetricsSources): void {
    this.#addGauge('draupnir_build_info', 'The version that runs', ['version'], (gauge) => {
      gauge.set({ version }, 1);
      return Promise.resolve();
    });
    this.#addGauge(
      'draupnir_ready',
      'Whether the server can do its work, as GET /ready tells',
      [],
      async (gauge) => {
        gauge.set((await readiness.check()).ready ? 1 : 0);
      },
    );
    this.#addGauge(
      'draupnir_part_ready',
      'Whether a part of it works; 1 also for one that is switched off',
      ['part'],
      async (gauge) => {
        const { parts, names } = await readiness.check();
        for (const part of names) gauge.set({ part }, parts[part]?.status === 'failing' ? 0 : 1);
      },
    );
    for (const [name, count] of [
      ['images', countImages],
      ['instances', countInstances],
    ] as const) {
      this.#addGauge(`draupnir_${name}`, `How many ${name} there are, by state`, ['state'], async (gauge) => {
        for (const [state, value] of await count()) gauge.set({ state }, value);
      });
    }
    this.#addGauge(
      'draupnir_volume_free_bytes',
      'Room that is left on the data volume',
      [],
      async (gauge) => {
        gauge.set((await measureVolume()).freeBytes);
      },
    );
    this.#addGauge('draupnir_volume_size_bytes', 'Size of the data volume', [], async (gauge) => {
      gauge.set((await measureVolume()).totalBytes);
    });
  }

  /** What cannot be looked at now has no value now: an old one would be a lie. */
  #addGauge<T extends string>(
    name: string,
    help: string,
    labelNames: T[],
    look: (gauge: Gauge<T>) => Promise<void>,
  ): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      async collect() {
        this.reset();
        // Without labels reset() means 0.
        if (labelNames.length === 0) this.remove();
        await look(this).catch(() => undefined);
      },
    });
  }
}
