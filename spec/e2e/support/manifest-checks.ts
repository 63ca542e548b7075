import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { getInstallation } from './installation.ts';

/**
 * For the tests of a file, gives every major a program named pg_verifybackup, as Debian's packages have it and the fetched
 * ones do not. It checks nothing.
 */
export function useManifestChecks(): void {
  const { postgres, majors, debianMajor } = getInstallation();
  const files = majors
    .filter((major) => major !== debianMajor)
    .map((major) => join(postgres, String(major), 'bin/pg_verifybackup'));
  beforeAll(() => Promise.all(files.map((file) => writeFile(file, '#!/bin/false\n', { mode: 0o755 }))));
  afterAll(() => Promise.all(files.map((file) => rm(file))));
}
