import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Counts assertions. */
const runner = join(import.meta.dirname, 'spec/run/counting-runner.ts');

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['spec/unit/**/*.spec.ts'], runner, testTimeout: 30_000 } },
      {
        test: {
          name: 'integration',
          include: ['spec/integration/**/*.spec.ts'],
          runner,
          globalSetup: ['spec/integration/support/cluster.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['spec/e2e/**/*.spec.ts'],
          runner,
          globalSetup: ['spec/e2e/support/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
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
          runner,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          // Each test begins where the one before has ended.
          bail: 1,
        },
      },
    ],
  },
});
