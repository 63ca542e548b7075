import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Counts assertions. */
const runner = join(import.meta.dirname, 'spec/run/counting-runner.ts');

// By default Vitest leaves one core unused, which on two of them doubles the time.
const cores = availableParallelism();

/** From source, node-pg-migrate would make /tmp/jiti (build.ts, "alias"). */
const env = { JITI_FS_CACHE: 'false' };
/**
 * A test that does not end fails after this time, in milliseconds. Far longer than any of them takes: with all cores busy elsewhere, one
 * takes thirty times as long as alone.
 */
const PATIENCE_MS = 120_000;
const poll = { timeout: 30_000 };

// A run of several projects runs one after the other (groupOrder): they have different numbers of workers.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['spec/unit/**/*.spec.ts'],
          sequence: { groupOrder: 1 },
          runner,
          globalSetup: ['spec/support/cli/bundle-command-line.ts'],
          testTimeout: PATIENCE_MS,
          expect: { poll },
          // Some wait for processes.
          maxWorkers: cores + 1,
          // A worker for each file, with all that the file imports, costs more than the tests.
          isolate: false,
          env,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['spec/integration/**/*.spec.ts'],
          sequence: { groupOrder: 2 },
          runner,
          globalSetup: [
            'spec/support/cli/bundle-command-line.ts',
            'spec/integration/prepare/support/bundle-steps.ts',
            'spec/integration/support/cluster.ts',
          ],
          testTimeout: PATIENCE_MS,
          hookTimeout: PATIENCE_MS,
          expect: { poll },
          // They wait for Postgres most of the time.
          maxWorkers: 2 * cores,
          isolate: false,
          env,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['spec/e2e/**/*.spec.ts'],
          sequence: { groupOrder: 3 },
          runner,
          globalSetup: ['spec/e2e/support/global-setup.ts'],
          testTimeout: PATIENCE_MS,
          hookTimeout: 300_000,
          expect: { poll },
          // One installation (users, mounts, sudoers) is shared: its files run one after another.
          fileParallelism: false,
          // Preparations of images, each busy with one core for some seconds.
          maxConcurrency: 3,
        },
      },
      {
        test: {
          name: 'host',
          include: ['spec/host/**/*.spec.ts'],
          sequence: { groupOrder: 4 },
          runner,
          testTimeout: 180_000,
          expect: { poll },
          hookTimeout: 180_000,
          // Each test begins where the one before has ended.
          bail: 1,
        },
      },
    ],
  },
});
