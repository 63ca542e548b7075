import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** The machine a run is done on, and how busy it was at the start. */
export async function describeMachine(): Promise<Record<string, string | number>> {
  const system = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return {
    system: /^PRETTY_NAME="(.*)"$/m.exec(system)?.[1] ?? 'unknown',
    kernel: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memory_gib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    load: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}
