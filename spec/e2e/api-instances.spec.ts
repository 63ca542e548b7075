import { describe, expect, inject, it } from 'vitest';
import { readHostState } from './support/host-state.ts';
import { query } from './support/instance-client.ts';
import { INSTANCE_PORTS } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();

describe('POST /instances', () => {
  it('answers when the database takes connections with the credentials it gives', async () => {
    const instance = await server.api.createInstance(inject('e2e').imageId);
    expect(instance.port).toBeGreaterThanOrEqual(INSTANCE_PORTS.min);
    expect(instance.port).toBeLessThan(INSTANCE_PORTS.max);
    expect(await query(instance, 'SELECT current_user')).toEqual(['draupnir']);
  });

  it('gives several at once a port each', async () => {
    const { imageId } = inject('e2e');
    const instances = await Promise.all([1, 2, 3, 4].map(() => server.api.createInstance(imageId)));
    expect(new Set(instances.map(({ port }) => port)).size).toBe(4);
    const names = await Promise.all(
      instances.map((each) => query(each, `SELECT current_setting('cluster_name')`)),
    );
    expect(names).toEqual(instances.map(({ id }) => [`draupnir-instance-${id}`]));
  });

  it('remembers the address of the caller', async () => {
    const { id } = await server.api.createInstance(inject('e2e').imageId);
    expect(
      await queryMetadata(`SELECT ip_address FROM whitelisted_addresses WHERE instance_id = ${id}`),
    ).toBe('127.0.0.1');
  });

  it('keeps the credentials readable in the metadata to nobody', async () => {
    const { id } = await server.api.createInstance(inject('e2e').imageId);
    const box = Buffer.from(
      await queryMetadata(`SELECT encode(credentials, 'hex') FROM instances WHERE id = ${id}`),
      'hex',
    );
    expect(box.length).toBeGreaterThan(1000);
    expect(box.toString('latin1')).not.toMatch(/BEGIN|PRIVATE|CERTIFICATE/);
  });
});

describe('DELETE /instances/:id', () => {
  it('ends process, data, configuration and port', async () => {
    const before = await readHostState();
    const instance = await server.api.createInstance(inject('e2e').imageId);
    expect((await readHostState()).ports).toContain(instance.port);
    await server.api.destroyInstance(instance.id);
    expect(await readHostState()).toEqual(before);
    await expect(query(instance, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
