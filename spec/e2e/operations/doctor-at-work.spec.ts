import { beforeAll, describe, expect, inject, it } from 'vitest';
import type { Instance } from '../support/api.ts';
import { killAll } from '../support/damage.ts';
import { diagnose, summarise } from '../support/doctor.ts';
import { query } from '../support/instance-client.ts';
import { INSTANCE_UID_BASE } from '../support/installation.ts';
import { queryMetadata } from '../support/metadata.ts';
import { ANONYMISE } from '../support/source.ts';
import { upload } from '../support/upload.ts';
import { useServer } from '../support/use-server.ts';
import { waitUntil } from '../support/wait.ts';

const server = useServer();
let instance: Instance;

beforeAll(async () => {
  instance = await server.api.createInstance(inject('e2e').imageId);
});

describe('doctor raises no false alarm', () => {
  it('about an instance that the server has started again', async () => {
    await killAll(INSTANCE_UID_BASE + instance.id);
    await waitUntil('it answers', () => query(instance, 'SELECT 1').catch(() => undefined));
    await waitUntil('it is ready', async () => {
      const status = await queryMetadata(`SELECT status FROM instances WHERE id = ${instance.id}`);
      return status === 'ready';
    });
    expect(summarise(await diagnose())).toEqual([]);
  });

  it('while instances are created and destroyed', async () => {
    let goesOn = true;
    const churn = async (): Promise<void> => {
      while (goesOn) {
        const { id } = await server.api.createInstance(inject('e2e').imageId);
        await server.api.destroyInstance(id);
      }
    };
    const churning = Promise.all([churn(), churn()]);
    try {
      for (let round = 0; round < 12; round++) expect(summarise(await diagnose())).toEqual([]);
    } finally {
      goesOn = false;
      await churning;
    }
  });

  it('while an image is uploaded, prepared and destroyed', async () => {
    const { id } = await server.api.createImage(`SELECT pg_sleep(3);\n${ANONYMISE}`);
    expect(summarise(await diagnose())).toEqual([]);
    await upload(id, inject('e2e').backup);
    const state = { answered: false };
    const outcome = server.api.finaliseImage(id).finally(() => (state.answered = true));
    let looks = 0;
    for (; !state.answered; looks++) {
      const diagnosis = await diagnose();
      expect(summarise(diagnosis)).toEqual([]);
    }
    expect(looks).toBeGreaterThan(2);
    expect(await outcome).toMatchObject({ status: 200 });
    const destroyed = server.api.destroyImage(id);
    expect(summarise(await diagnose())).toEqual([]);
    await destroyed;
  });
});
