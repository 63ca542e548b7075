import { join } from 'node:path';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { Cluster } from './support/cluster.ts';
import { query } from './support/instance-client.ts';
import { getInstallation, UPLOAD_USER } from './support/installation.ts';
import { PRIVILEGES } from './support/system-privileges.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function createCluster(name: string, major: number): Promise<Cluster> {
  const { postgres, scratch } = getInstallation();
  const cluster = new Cluster({
    postgres,
    major,
    dir: join(scratch, `privileges-${name}`),
    user: UPLOAD_USER,
  });
  await cluster.create();
  await cluster.start();
  undo.push(() => cluster.stop());
  await cluster.query('postgres', 'CREATE DATABASE fresh TEMPLATE template0');
  return cluster;
}

describe('the objects that initdb creates', () => {
  it('have the owners and privileges of a fresh cluster in an instance, whose owner can read information_schema', async () => {
    const instance = await server.api.createInstance(inject('e2e').imageId);
    const cluster = await createCluster('instance', getInstallation().debianMajor);
    const fresh = (await cluster.query('fresh', PRIVILEGES)).split('\n');

    expect(await query(instance, PRIVILEGES)).toEqual(fresh);
    const tables = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`;
    expect(await query(instance, tables)).toContain('customers');
  });
});
