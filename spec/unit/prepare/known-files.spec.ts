import { describe, expect, it } from 'vitest';
import { KnownFiles } from '../../../src/prepare/known-files.ts';

const GLOBAL = Array.from({ length: 30 }, (_, i) => `global/${1260 + i}`);
const OF_DATABASE = Array.from({ length: 200 }, (_, i) => `base/5/${2600 + i}`);

describe('the files that Postgres knows', () => {
  const known = new KnownFiles([...GLOBAL, ...OF_DATABASE, 'base/16384/16390']);

  it.each([
    'base/5/2600',
    'base/5/2600.1',
    'base/5/2600_fsm',
    'base/5/2600_vm.12',
    'base/16384/16390_init',
    'base/16384/PG_VERSION',
    'base/5/pg_filenode.map',
    'global/1260',
    'global/pg_control',
    'global/pg_filenode.map',
  ])('are their relations with segments and forks, and what stands beside them: %s', (path) => {
    expect(known.has(path)).toBe(true);
  });

  it.each([
    'base/5/99999',
    'base/5/2600_old',
    'base/5/2600.bak',
    'base/5/2600/1',
    'base/5/t3_2600',
    'base/6/2600',
    'base/6/PG_VERSION',
    'base/5/passwords',
    'global/2600',
    'global/pg_internal.init',
    'base/pgsql_tmp/2600',
    'x/base/5/2600',
  ])('are no others: %s', (path) => {
    expect(known.has(path)).toBe(false);
  });

  it('are not taken from a list that cannot be that of a cluster', () => {
    expect(() => new KnownFiles([])).toThrow('not complete');
    expect(() => new KnownFiles(OF_DATABASE)).toThrow('not complete');
    expect(() => new KnownFiles([...GLOBAL, 'base/5/1'])).toThrow('not complete');
  });
});
