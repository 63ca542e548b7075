import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { writeCertificates } from '../../../src/cli/certificates.ts';
import { createTemporaryDirectory } from '../../support/cli/temporary-directory.ts';

const credentials = { caCertificate: 'ca', clientCertificate: 'certificate', clientKey: 'key' };
const modeOf = (path: string): number => statSync(path).mode & 0o777;

let directory = '';
beforeEach(() => {
  directory = createTemporaryDirectory();
  vi.stubEnv('TMPDIR', directory);
});
afterEach(() => void vi.unstubAllEnvs());

describe('certificates', () => {
  it('go to a private directory that is named after the instance', async () => {
    const paths = await writeCertificates(7, credentials);
    const made = dirname(paths.clientKey);
    expect(made).toMatch(/\/draupnir-7-[A-Za-z0-9]{6}$/);
    expect(modeOf(made)).toBe(0o700);
    expect(paths).toEqual({
      rootCertificate: join(made, 'ca.crt'),
      clientCertificate: join(made, 'client.crt'),
      clientKey: join(made, 'client.key'),
    });
    expect(Object.values(paths).map((path: string) => readFileSync(path, 'utf8'))).toEqual([
      'ca',
      'certificate',
      'key',
    ]);
  });

  it.each([0o000, 0o022, 0o077])('have the modes libpq wants under umask %o', async (umask) => {
    const before = process.umask(umask);
    const paths = await writeCertificates(7, credentials).finally(() => process.umask(before));
    expect(modeOf(paths.rootCertificate)).toBe(0o644);
    expect(modeOf(paths.clientCertificate)).toBe(0o644);
    expect(modeOf(paths.clientKey)).toBe(0o600);
  });

  it('never share a directory', async () => {
    const [first, second] = [
      await writeCertificates(7, credentials),
      await writeCertificates(7, credentials),
    ];
    expect(first.clientKey).not.toBe(second.clientKey);
    expect(readdirSync(directory)).toHaveLength(2);
  });

  it('have absolute paths, though TMPDIR is relative: the shell may change its directory', async () => {
    vi.stubEnv('TMPDIR', relative(process.cwd(), directory));
    const paths = await writeCertificates(7, credentials);
    expect(dirname(dirname(paths.clientKey))).toBe(directory);
    expect(Object.values(paths).every((path: string) => isAbsolute(path))).toBe(true);
  });

  it('that have no place to go are a plain failure', async () => {
    vi.stubEnv('TMPDIR', join(directory, 'missing'));
    await expect(writeCertificates(7, credentials)).rejects.toThrow(
      /^cannot write .*no such file or directory$/,
    );
  });
});
