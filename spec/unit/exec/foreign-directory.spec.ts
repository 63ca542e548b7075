import { mkdtempDisposable, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findForeignDirectory } from '../../../src/exec/foreign-directory.ts';

describe('findForeignDirectory', () => {
  // On Debian /bin and /var/run are links.
  it.each([
    '/',
    '/usr/bin',
    '/usr/bin/env',
    '/usr/bin/missing/below',
    '/usr/./bin/../lib',
    '/bin/sh',
    '/var/run/x',
  ])('finds none on the way to %s', async (path) => {
    expect(await findForeignDirectory(path)).toBeUndefined();
  });

  it.each([
    ['the directory itself', tmpdir()],
    ['what is missing below it', join(tmpdir(), 'draupnir-missing', 'one')],
    ['a path that comes back to it', `/usr/bin/../..${tmpdir()}/x`],
  ])('finds a directory that all users can write: %s', async (_what, path) => {
    expect(await findForeignDirectory(path)).toBe(tmpdir());
  });

  it('finds a directory behind a link that is root’s', async () => {
    // Debian: /var/lock is a link to /run/lock, where all users make files.
    expect(await findForeignDirectory('/var/lock/x')).toBe('/run/lock');
  });

  it('does not take a link in such a directory for the way', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'foreign-'));
    await symlink('/usr', join(folder.path, 'link'));
    expect(await findForeignDirectory(join(folder.path, 'link', 'bin'))).toBe(tmpdir());
  });

  it('throws when it cannot look', async () => {
    const path = `/usr/${'x'.repeat(300)}`;
    await expect(findForeignDirectory(path)).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
  });

  it('stops at a file', async () => {
    expect(await findForeignDirectory('/etc/passwd/x')).toBeUndefined();
  });
});
