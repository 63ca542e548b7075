import { randomBytes } from 'node:crypto';
import { access, constants, lstat, open, readFile, readlink, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CliError, EXIT_CONFIG, findErrorCode } from './failure.ts';
import { describeFileFailure } from './file-failure.ts';
import { findHome } from './home.ts';
import { printWarning } from './output.ts';
import { createSettings, formatSettings, parseSettings, type Settings } from './settings.ts';

const OTHER_FILE_HINT = 'DRAUPNIR_SETTINGS=FILE keeps the settings in another file';

/** Where the settings are: `~/.draupnir`, or the file that DRAUPNIR_SETTINGS names; undefined without a home. */
export function findSettingsFile(): string | undefined {
  const { DRAUPNIR_SETTINGS } = process.env;
  if (DRAUPNIR_SETTINGS) return DRAUPNIR_SETTINGS;
  const home = findHome();
  return home === undefined ? undefined : join(home, '.draupnir');
}

/** As {@link findSettingsFile}, for commands that store something. Throws `CliError`. */
export function getSettingsFile(): string {
  const file = findSettingsFile();
  if (file !== undefined) return file;
  throw new CliError('there is no home directory to keep the settings in', {
    hint: OTHER_FILE_HINT,
    exitCode: EXIT_CONFIG,
  });
}

/**
 * Loads the settings, the defaults where there are none; these are written to the file if it can be. Warns on stderr
 * when others may read it. Throws `CliError` when it cannot be read or understood.
 */
export async function loadSettings(file: string | undefined): Promise<Settings> {
  if (file === undefined) return createSettings();
  const text = await findText(file);
  if (text !== undefined) return parseSettings(text, file);
  const settings = createSettings();
  // Reading must work where nothing can be stored: with a home that is missing, read-only or full.
  await saveSettings(file, settings).catch(() => undefined);
  return settings;
}

/** Throws `CliError` where {@link saveSettings} would, as far as that shows before: the directory is not writable. */
export async function requireWritable(file: string): Promise<void> {
  try {
    await access(dirname(await findTarget(file)), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw error instanceof CliError ? error : describeFileFailure(error, 'write', file, OTHER_FILE_HINT);
  }
}

/** Loads the settings, lets `change` alter them and saves them. Throws `CliError`. */
export async function updateSettings(file: string, change: (settings: Settings) => void): Promise<void> {
  const settings = await loadSettings(file);
  change(settings);
  await saveSettings(file, settings);
}

/**
 * Replaces the settings file, mode 0600: a crash leaves the old or the new one, never a half. Of a symbolic link
 * its target is replaced. Throws `CliError`.
 */
export async function saveSettings(file: string, settings: Settings): Promise<void> {
  const text = formatSettings(settings);
  // The TOML library writes some odd texts (several control characters) in a way it cannot read itself. Better no
  // change than a broken file.
  parseSettings(text, file);
  try {
    await replaceFile(await findTarget(file), text);
  } catch (error) {
    throw error instanceof CliError ? error : describeFileFailure(error, 'write', file, OTHER_FILE_HINT);
  }
}

async function findText(file: string): Promise<string | undefined> {
  try {
    const found = await stat(file);
    if (found.isFile() && (found.mode & 0o077) !== 0) {
      printWarning(`${file} is open to other users, and it may hold a token`, `chmod 600 ${file}`);
    }
    return await readFile(file, 'utf8');
  } catch (error) {
    // ENOTDIR: HOME=/dev/null, as users of no home have it.
    if (['ENOENT', 'ENOTDIR'].includes(findErrorCode(error) ?? '')) return undefined;
    throw describeFileFailure(error, 'read', file, OTHER_FILE_HINT);
  }
}

/** What is replaced in place of `file`. A device or a pipe must not be: throws `CliError`. */
async function findTarget(file: string): Promise<string> {
  const target = await followLinks(file);
  const found = await lstat(target).catch(() => undefined);
  if (found === undefined || found.isFile()) return target;
  throw new CliError(`cannot write ${target}: it is no regular file`, { hint: OTHER_FILE_HINT });
}

async function replaceFile(target: string, text: string): Promise<void> {
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await using handle = await open(temporary, 'wx', 0o600);
    await handle.writeFile(text);
    await handle.sync();
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await using directory = await open(dirname(target), 'r');
  await directory.sync();
}

/**
 * The file at the end of a chain of symbolic links, which need not exist (realpath would insist). Root follows no link of another
 * user, into whose home `sudo` with HOME kept would lead it.
 */
async function followLinks(file: string, linksLeft = 40): Promise<string> {
  try {
    const link = await readlink(file);
    if (process.geteuid?.() === 0 && (await lstat(file)).uid !== 0) {
      throw new CliError(`${file} is a link of another user`, {
        hint: 'set DRAUPNIR_SETTINGS to a file of your own',
      });
    }
    const target = resolve(dirname(file), link);
    return linksLeft === 0 ? file : await followLinks(target, linksLeft - 1);
  } catch (error) {
    const code = findErrorCode(error);
    if (code === 'EINVAL' || code === 'ENOENT') return file;
    throw error;
  }
}
