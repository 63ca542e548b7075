import { describe, expect, it } from 'vitest';
import { forgetInstance } from '../../../src/server/database.ts';

const OF_INSTANCE = {
  PGHOST: 'draupnir.example.com',
  PGPORT: '7432',
  PGUSER: 'draupnir',
  PGPASSWORD: '',
  PGDATABASE: 'shop',
  PGSSLMODE: 'verify-ca',
  PGSSLROOTCERT: '/tmp/draupnir-7-a1B2c3/ca.crt',
  PGSSLCERT: '/tmp/draupnir-7-a1B2c3/client.crt',
  PGSSLKEY: '/tmp/draupnir-7-a1B2c3/client.key',
};

describe('the environment', () => {
  it('of somebody who uses an instance says nothing of the internal database', () => {
    const env: NodeJS.ProcessEnv = { ...OF_INSTANCE, PGAPPNAME: 'mine', PATH: '/bin' };
    forgetInstance(env);
    expect(env).toEqual({ PGAPPNAME: 'mine', PATH: '/bin' });
  });

  it.each([{}, { PGPORT: '5433' }, { ...OF_INSTANCE, PGSSLKEY: '/etc/draupnir/database.key' }])(
    'of an operator stays: %o',
    (set) => {
      const env: NodeJS.ProcessEnv = { ...set };
      forgetInstance(env);
      expect(env).toEqual(set);
    },
  );
});
