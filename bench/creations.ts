import type { LogLine } from '../spec/e2e/support/server.ts';
import type { Recorder } from './results.ts';
import type { Workbench } from './workbench.ts';

/** Records where the time of the last creations went, as the server says in its log; resolves to its lines about them. */
export async function recordCreations(
  { server }: Workbench,
  record: Recorder,
  count: number,
): Promise<LogLine[]> {
  const lines = (await server.readLog()).filter(({ msg }) => msg === 'created instance').slice(-count);
  for (const { parts } of lines) {
    for (const [part, ms] of Object.entries(parts as Record<string, number>))
      record.add(`part_${part}_ms`, ms);
  }
  return lines;
}
