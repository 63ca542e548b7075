import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { readFootprint } from './support/footprint.ts';
import { fuzz, generateBatch } from './support/fuzz/fuzzer.ts';
import { getInstallation } from './support/installation.ts';
import type { RawResponse } from './support/raw-http.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

/** DRAUPNIR_FUZZ_SECONDS, DRAUPNIR_FUZZ_SEED (to repeat a run), DRAUPNIR_FUZZ_SUMMARY (a file for the summary as JSON). */
const { DRAUPNIR_FUZZ_SECONDS = '20', DRAUPNIR_FUZZ_SEED, DRAUPNIR_FUZZ_SUMMARY } = process.env;
const seconds = Number(DRAUPNIR_FUZZ_SECONDS);
const seed = Number(DRAUPNIR_FUZZ_SEED ?? Date.now() % 2 ** 31);

/** Until the server has taken the memory that it works with, which it goes on taking for a while. */
const WARM_UP_SECONDS = Math.max(10, seconds / 2);
/**
 * What the collector may not have taken back yet, in MiB: more was seen to come and go. In ten minutes a kilobyte for each
 * request would be more; in seconds only what is larger is noticed.
 */
const SLACK_MIB = 64;

const server = useServer({ limits: { header_timeout: '"400ms"', request_timeout: '"400ms"' } });

/** Destroys the images that requests have made. */
async function destroyMade(responses: RawResponse[]): Promise<void> {
  for (const { status, body } of responses) {
    if (status !== 201) continue;
    const { data } = JSON.parse(body) as { data: { type: string; id: string } };
    if (data.type === 'images') await server.api.destroyImage(Number(data.id));
  }
}

describe('the server under generated requests', () => {
  it('makes the same ones of the same seed', () => {
    expect(generateBatch(7, 3)).toEqual(generateBatch(7, 3));
    expect(generateBatch(7, 3)).not.toEqual(generateBatch(8, 3));
  });

  it(
    'answers all as the contract says, never fails, and holds no more afterwards than before',
    async () => {
      process.stdout.write(`fuzz: DRAUPNIR_FUZZ_SEED=${seed} DRAUPNIR_FUZZ_SECONDS=${seconds}\n`);
      const { httpPort } = getInstallation();
      const { pid } = server.process;
      const warmUp = await fuzz(httpPort, { seed: seed ^ 1, seconds: WARM_UP_SECONDS }, destroyMade);
      const before = await readFootprint(pid);
      const summary = await fuzz(httpPort, { seed, seconds: seconds - WARM_UP_SECONDS }, destroyMade);
      const after = await waitUntil('connections and children are gone', async () => {
        const now = await readFootprint(pid);
        return now.descriptors <= before.descriptors && now.children <= before.children && now;
      });
      const result = { ...summary, tried: summary.tried + warmUp.tried, before, after };
      process.stdout.write(`fuzz: ${JSON.stringify({ ...result, failures: undefined })}\n`);
      if (DRAUPNIR_FUZZ_SUMMARY !== undefined) await writeFile(DRAUPNIR_FUZZ_SUMMARY, JSON.stringify(result));
      expect([...warmUp.failures, ...summary.failures]).toEqual([]);
      expect(server.process.isRunning).toBe(true);
      expect(after.rssMib).toBeLessThan(before.rssMib + SLACK_MIB);
      // It got past the parser, and past the authentication.
      for (const status of ['200', '400', '401', '404', '405'])
        expect(summary.statuses).toHaveProperty(status);
    },
    (seconds + 120) * 1000,
  );
});
