import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkConfigFile } from '../../../src/config/check-config-file.ts';
import { describeReadError } from '../../../src/config/file-reader.ts';
import { loadServerConfig } from '../../../src/config/load-server-config.ts';
import { ConfigError, formatProblem, formatWarning } from '../../../src/config/problem.ts';
import { createApiCertificate } from '../../../src/tls/api-certificate.ts';

const NOW = new Date();
const certificates: { certificate: string; key: string; ca: string }[] = [];
let sample: string;

beforeAll(async () => {
  const published = await readFile(new URL('../../../sample/config.toml', import.meta.url), 'utf8');
  sample = published.replaceAll('"replace-this', '"own');
  for (const lifetimeDays of [1, -1]) {
    certificates.push(await createApiCertificate({ hostnames: ['localhost'], now: NOW, lifetimeDays }));
  }
});

/** A folder with the sample and a good certificate, changed by `edit`; `check` returns the lines, with `DIR` for the folder. */
async function setUp(edit: (toml: string) => string = (toml) => toml) {
  const folder = await mkdtempDisposable(join(tmpdir(), 'check-config-'));
  const at = (name: string) => join(folder.path, name);
  await writeFile(at('tls.crt'), certificates[0]?.certificate ?? '');
  await writeFile(at('tls.key'), certificates[0]?.key ?? '');
  await writeFile(at('config.toml'), edit(sample.replaceAll('/etc/draupnir/', `${folder.path}/`)));
  const check = async (name = 'config.toml') => {
    const { problems, warnings } = await checkConfigFile(at(name), {});
    const lines = [...problems.map(formatProblem), ...warnings.map(formatWarning)];
    return { ok: problems.length === 0, lines: lines.map((line) => line.replaceAll(folder.path, 'DIR')) };
  };
  return { at, check, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

describe('checkConfigFile', () => {
  it('finds nothing to say about a good file', async () => {
    await using folder = await setUp();
    expect(await folder.check()).toEqual({ ok: true, lines: [] });
  });

  it('prints warnings of a file that is valid', async () => {
    await using folder = await setUp((toml) => `log_levels = "info"\n${toml}`);
    expect(await folder.check()).toEqual({
      ok: true,
      lines: [
        'DIR/config.toml: log_levels: warning: unknown key, ignored; the nearest known key is "log_level"',
      ],
    });
  });

  it('reports bad keys, missing certificates and unknown keys together', async () => {
    await using folder = await setUp((toml) =>
      toml.replace('data_path', 'data_pth').replace('tls.crt', 'missing.crt'),
    );
    expect(await folder.check()).toEqual({
      ok: false,
      lines: [
        'DIR/config.toml: data_path: is missing: must be an absolute path without "..", such as "/draupnir"',
        'DIR/config.toml: http.tls_certificate: must be a file that this user can read: no such file (found "DIR/missing.crt")',
        'DIR/config.toml: data_pth: warning: unknown key, ignored; the nearest known key is "data_path"',
      ],
    });
  });

  it.each([
    ['tls.crt', 'junk', 'http.tls_certificate: must hold a certificate in PEM form (found "DIR/tls.crt")'],
    [
      'tls.key',
      'junk',
      'http.tls_private_key: must hold a private key in PEM form, without a passphrase (found "DIR/tls.key")',
    ],
  ])('reports a %s that holds %s', async (name, content, line) => {
    await using folder = await setUp();
    await writeFile(folder.at(name), content);
    expect(await folder.check()).toEqual({ ok: false, lines: [`DIR/config.toml: ${line}`] });
  });

  it('reports a key that belongs to another certificate', async () => {
    await using folder = await setUp();
    await writeFile(folder.at('tls.key'), certificates[1]?.key ?? '');
    const line =
      'http.tls_private_key: must be the key of the certificate in http.tls_certificate (found "DIR/tls.key")';
    expect(await folder.check()).toEqual({ ok: false, lines: [`DIR/config.toml: ${line}`] });
  });

  it('warns of a certificate that has expired', async () => {
    await using folder = await setUp();
    await writeFile(folder.at('tls.crt'), certificates[1]?.certificate ?? '');
    await writeFile(folder.at('tls.key'), certificates[1]?.key ?? '');
    const { ok, lines } = await folder.check();
    expect(ok).toBe(true);
    expect(lines[0]).toMatch(/: http\.tls_certificate: warning: expired on \d{4}-\d\d-\d\d: renew it$/);
  });

  it('does not look at certificates that are not in use', async () => {
    await using folder = await setUp((toml) =>
      toml
        .replace('listen_address = ":8443"', 'insecure_listen_address = ":80"')
        .replaceAll('tls.', 'missing.'),
    );
    expect(await folder.check()).toEqual({ ok: true, lines: [] });
  });

  it('looks for the certificates of the database', async () => {
    await using folder = await setUp((toml) =>
      toml.replace('"host=/run/postgresql ', '"host=db sslmode=verify-full sslrootcert=/nowhere/ca '),
    );
    expect((await folder.check()).lines).toEqual([
      'DIR/config.toml: database_url: must be a file that this user can read: no such file (found "/nowhere/ca")',
    ]);
  });

  it('reports a file that cannot be read, and why', async () => {
    await using folder = await setUp();
    expect(await folder.check('missing.toml')).toEqual({
      ok: false,
      lines: ['DIR/missing.toml: cannot be read: no such file; name another file by --config FILE'],
    });
    expect((await folder.check('')).lines).toEqual([
      'DIR: cannot be read: it is a directory; name another file by --config FILE',
    ]);
  });
});

describe('describeReadError', () => {
  it.each([
    ['ENOENT', 'no such file'],
    ['EACCES', 'permission denied'],
    ['EISDIR', 'it is a directory'],
    ['EIO', 'EIO'],
    [undefined, 'reading failed'],
  ])('says for %s: %s', (code, words) => {
    expect(describeReadError(Object.assign(new Error('x'), { code }))).toBe(words);
  });
});

describe('loadServerConfig', () => {
  it('returns the configuration and its warnings', async () => {
    await using folder = await setUp((toml) => `log_levels = "info"\n${toml}`);
    const { config, warnings } = await loadServerConfig(folder.at('config.toml'), {
      STATE_DIRECTORY: '/state',
    });
    expect(config).toMatchObject({ dataPath: '/draupnir', encryptionKeyFile: '/state/encryption.key' });
    expect(warnings).toHaveLength(1);
  });

  it('throws all problems in one error', async () => {
    await using folder = await setUp(() => '');
    const error = await loadServerConfig(folder.at('config.toml')).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toHaveProperty('problems.length', 13);
  });
});
