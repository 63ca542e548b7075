import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  getSettingsFile,
  loadSettings,
  requireWritable,
  saveSettings,
  updateSettings,
} from '../../../src/cli/settings-file.ts';
import { createSettings } from '../../../src/cli/settings.ts';
import { createTemporaryDirectory } from '../../support/cli/temporary-directory.ts';

let directory = '';
let file = '';
beforeEach(() => {
  directory = createTemporaryDirectory();
  file = join(directory, '.draupnir');
});

afterEach(() => void vi.unstubAllEnvs());

const modeOf = (path: string): number => statSync(path).mode & 0o777;

describe('settings file', () => {
  it('is made with the defaults when there is none', async () => {
    expect(await loadSettings(file)).toEqual(createSettings());
    expect(readFileSync(file, 'utf8')).toContain('Domain = "set-me-to-a-real-domain"');
    expect(modeOf(file)).toBe(0o600);
  });

  it('is private whatever the umask and whatever it was before', async () => {
    writeFileSync(file, 'Domain = "a.example"\n', { mode: 0o644 });
    const umask = process.umask(0);
    try {
      await saveSettings(file, createSettings());
    } finally {
      process.umask(umask);
    }
    expect(modeOf(file)).toBe(0o600);
  });

  it('is changed one setting at a time', async () => {
    writeFileSync(file, 'Domain = "a.example"\nColour = "red"\n[Token]\nRefreshToken = "r"\n', {
      mode: 0o600,
    });
    await updateSettings(file, (settings) => {
      settings.database = 'my_app';
    });
    const { domain, database, token, foreign } = await loadSettings(file);
    expect([domain, database, token.refreshToken, foreign.top]).toEqual([
      'a.example',
      'my_app',
      'r',
      { Colour: 'red' },
    ]);
  });

  it('is replaced as a whole: a reader of the old one keeps it, and nothing is left beside it', async () => {
    writeFileSync(file, 'Domain = "old.example"\n', { mode: 0o600 });
    const before = statSync(file).ino;
    await saveSettings(file, { ...createSettings(), domain: 'new.example' });
    expect(statSync(file).ino).not.toBe(before);
    expect(readdirSync(directory)).toEqual(['.draupnir']);
  });

  it('stays as it was when the new one cannot be put in its place', async () => {
    // A directory in the way makes the last step, the rename, fail.
    mkdirSync(join(file, 'in the way'), { recursive: true });
    await expect(saveSettings(file, createSettings())).rejects.toThrow(`cannot write ${file}`);
    expect(readdirSync(directory)).toEqual(['.draupnir']);
  });

  it('stays as it was when the new one could not be read again', async () => {
    writeFileSync(file, 'Domain = "a.example"\n', { mode: 0o600 });
    const settings = { ...createSettings(), database: '\u0001\u0002' };
    await expect(saveSettings(file, settings)).rejects.toThrow('not valid TOML');
    expect(readFileSync(file, 'utf8')).toBe('Domain = "a.example"\n');
  });

  it.each(['existing', 'missing'])('stays a symbolic link to an %s target', async (target) => {
    mkdirSync(join(directory, 'dotfiles'));
    const real = join(directory, 'dotfiles', 'draupnir');
    if (target === 'existing') writeFileSync(real, 'Domain = "a.example"\n', { mode: 0o600 });
    symlinkSync('dotfiles/draupnir', file);
    await updateSettings(file, (settings) => {
      settings.database = 'my_app';
    });
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    expect(readFileSync(real, 'utf8')).toContain('Database = "my_app"');
    expect(readdirSync(join(directory, 'dotfiles'))).toEqual(['draupnir']);
  });

  it.each([
    [0o644, true],
    [0o640, true],
    [0o600, false],
    [0o400, false],
  ])('of mode %o draws a warning: %s', async (mode, warned) => {
    const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    writeFileSync(file, '');
    chmodSync(file, mode);
    await loadSettings(file);
    const printed = written.mock.calls.map(([text]) => String(text)).join('');
    written.mockRestore();
    expect(printed.includes(`chmod 600 ${file}`)).toBe(warned);
  });

  it('that cannot be read is named together with the reason', async () => {
    mkdirSync(file, { mode: 0o700 });
    await expect(loadSettings(file)).rejects.toThrow(`cannot read ${file}: it is a directory`);
  });

  it.each([
    ['a directory that is missing', 'missing/.draupnir', 'no such file or directory'],
    ['a home that is no directory', 'file/.draupnir', 'a part of its path is not a directory'],
  ])('in %s can be read but not changed', async (_what, path, reason) => {
    writeFileSync(join(directory, 'file'), '');
    const elsewhere = join(directory, path);
    expect(await loadSettings(elsewhere)).toEqual(createSettings());
    const change = updateSettings(elsewhere, () => undefined);
    await expect(change).rejects.toMatchObject({
      message: `cannot write ${elsewhere}: ${reason}`,
      hint: 'DRAUPNIR_SETTINGS=FILE keeps the settings in another file',
    });
    await expect(requireWritable(elsewhere)).rejects.toThrow(`cannot write ${elsewhere}: ${reason}`);
    expect(readdirSync(directory)).toEqual(['file']);
  });

  it('that is a pipe or a device is never replaced, and draws no warning', async () => {
    execFileSync('mkfifo', ['-m', '0666', file]);
    const message = `cannot write ${file}: it is no regular file`;
    await expect(saveSettings(file, createSettings())).rejects.toThrow(message);
    await expect(requireWritable(file)).rejects.toThrow(message);
    expect(lstatSync(file).isFIFO()).toBe(true);
    const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect(await loadSettings('/dev/null')).toEqual(createSettings());
    expect(written).not.toHaveBeenCalled();
    written.mockRestore();
  });

  it('that does not exist yet can be written where its directory can', async () => {
    await expect(requireWritable(file)).resolves.toBeUndefined();
  });

  it('is ~/.draupnir unless DRAUPNIR_SETTINGS names another', () => {
    vi.stubEnv('HOME', '/home/me');
    vi.stubEnv('DRAUPNIR_SETTINGS', '');
    expect(getSettingsFile()).toBe('/home/me/.draupnir');
    vi.stubEnv('DRAUPNIR_SETTINGS', '/srv/settings');
    expect(getSettingsFile()).toBe('/srv/settings');
  });

  it.each(['', 'home', './'])('is in the home of the password database when HOME is "%s"', (home) => {
    vi.stubEnv('HOME', home);
    vi.stubEnv('DRAUPNIR_SETTINGS', '');
    expect(getSettingsFile()).toBe(join(userInfo().homedir, '.draupnir'));
  });
});
