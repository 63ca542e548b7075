import type pg from 'pg';
import type { Meter } from '../core/meter.ts';
import type { Readiness } from '../core/readiness.ts';
import { PgRecordCounts } from '../db/record-counts.ts';
import type { BtrfsVolume } from '../exec/btrfs-volume.ts';
import { withDeadline } from '../exec/deadline.ts';
import type { MetricsText } from '../metrics/metrics-server.ts';
import { VERSION } from '../version.ts';

/** Longest time of one look, in milliseconds: less than Prometheus waits by default. */
const DEADLINE_MS = 5000;

/** What measures the server, and is read. Loaded by those who want it alone: it has work of its own to do. */
export async function composeMetrics(parts: {
  pool: pg.Pool;
  volume: Pick<BtrfsVolume, 'measure'>;
  readiness: Readiness;
}): Promise<Meter & MetricsText> {
  const { PrometheusMeter } = await import('../metrics/prometheus-meter.ts');
  const counts = new PgRecordCounts(parts.pool);
  return new PrometheusMeter({
    countImages: () => inTime(counts.countImages()),
    countInstances: () => inTime(counts.countInstances()),
    measureVolume: () => inTime(parts.volume.measure()),
    readiness: parts.readiness,
    version: VERSION,
  });
}

function inTime<T>(look: Promise<T>): Promise<T> {
  return withDeadline(look, DEADLINE_MS, () => new Error('took too long'));
}
