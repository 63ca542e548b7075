import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/core/errors.ts';
import { BtrfsVolume } from '../../../src/exec/btrfs-volume.ts';
import { createDatabasePart, createDataPathPart } from '../../../src/server/readiness-parts.ts';

describe('the parts of the readiness', () => {
  it.each(['/nonexistent', '/proc'])('take %s for no mounted volume, and say what to do', async (path) => {
    const state = await createDataPathPart(new BtrfsVolume(path)).look();
    expect(state.status).toBe('failing');
    expect(state.detail).toMatch(/^the data path .*; tell the operator$/);
  });

  it('are fine when what they need works', async () => {
    const volume = { requireMounted: () => Promise.resolve() };
    expect(await createDataPathPart(volume).look()).toEqual({ status: 'ok' });
  });

  it('tell nothing of why the database does not answer', async () => {
    const pool = new pg.Pool({ host: '/nonexistent', user: 'nobody' });
    expect(await createDatabasePart(pool).look()).toEqual({
      status: 'failing',
      detail: 'the internal database does not answer',
    });
    await pool.end();
  });

  it('pass on a reason that may be shown', async () => {
    const volume = {
      requireMounted: () => Promise.reject(new DomainError('storage_unavailable', 'mounted read-only')),
    };
    expect((await createDataPathPart(volume).look()).detail).toBe('mounted read-only');
  });
});
