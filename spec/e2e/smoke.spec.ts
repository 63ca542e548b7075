import { expect, inject, it } from 'vitest';
import { useServer } from './support/use-server.ts';
import { query } from './support/instance-client.ts';
import { readHostState } from './support/host-state.ts';

const server = useServer();
it('works', async () => {
  const i = await server.api.createInstance(inject('e2e').imageId);
  console.log(await query(i, 'select email from customers limit 3'), await readHostState());
  expect(i.id).toBeGreaterThan(0);
});
