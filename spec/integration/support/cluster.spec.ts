import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import setup from './cluster.ts';
import type { ClusterConfig } from './template.ts';

let dir = '';

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-'));
  await chmod(dir, 0o755);
  vi.stubEnv('TMPDIR', dir);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true, force: true });
});

async function listCommandLines(): Promise<string> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.join('\n');
}

describe('the cluster of the integration tests', () => {
  it('runs until its teardown, which leaves no file and no process', async () => {
    const provided: ClusterConfig[] = [];
    const provide = (key: string, value: unknown): void => {
      if (key === 'cluster') provided.push(value as ClusterConfig);
    };
    const teardown = await setup({ provide });
    expect(provided[0]?.host).toContain(dir);
    expect(await listCommandLines()).toContain(dir);
    await teardown();
    expect(await listCommandLines()).not.toContain(dir);
    expect(await readdir(dir)).toEqual([]);
  });

  it('leaves nothing behind when the setup fails half-way', async () => {
    const provide = (): never => {
      throw new Error('failed at the last step');
    };
    await expect(setup({ provide })).rejects.toThrow('failed at the last step');
    expect(await listCommandLines()).not.toContain(dir);
    expect(await readdir(dir)).toEqual([]);
  });
});
