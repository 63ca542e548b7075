import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeMissing, listMissingLibraries } from '../../../src/prepare/sql/libraries.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'draupnir-libraries-'));
  await writeFile(join(folder, 'citext.so'), '');
  await writeFile(join(folder, 'plain'), '');
});
afterEach(() => rm(folder, { recursive: true }));

/** A session of a database whose extensions need these. */
function createSession(libraries: readonly string[]) {
  const answers: object[][] = [
    [{ path: folder }],
    libraries.map((library) => ({ library, extension: 'postgis' })),
  ];
  const run = <Row>(): Promise<Row[]> => Promise.resolve((answers.shift() ?? []) as Row[]);
  return { database: 'shop', run };
}

describe('the libraries of extensions', () => {
  it('are found in the folder of the major, or where their path says, with and without a suffix', async () => {
    const there = [
      '$libdir/citext',
      'citext',
      '$libdir/plain',
      join(folder, 'citext'),
      join(folder, 'citext.so'),
    ];
    expect(await listMissingLibraries(createSession(there))).toEqual([]);
    expect(await listMissingLibraries(createSession(['$libdir/postgis-3', '/nowhere/citext']))).toEqual([
      { database: 'shop', library: '$libdir/postgis-3', extension: 'postgis' },
      { database: 'shop', library: '/nowhere/citext', extension: 'postgis' },
    ]);
  });

  it('are named all at once when they are missing, with what to install', () => {
    const missing = [
      { database: 'shop', library: '$libdir/postgis-3', extension: 'postgis' },
      { database: 'laden', library: '$libdir/my_ext', extension: 'my_ext' },
    ];
    expect(describeMissing(missing, 16)).toBe(
      'libraries are missing on this host, install them: ' +
        '$libdir/postgis-3 of extension postgis in database shop (Debian: postgresql-16-postgis-3); ' +
        '$libdir/my_ext of extension my_ext in database laden (Debian: postgresql-16-my-ext)',
    );
  });
});
