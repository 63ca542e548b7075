import { randomBytes } from 'node:crypto';
import { open, readFile, readlink, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { findErrorCode } from './failure.ts';
import { describeFileFailure } from './file-failure.ts';
import { printWarning } from './output.ts';
import { createSettings, formatSettings, parseSettings, type Settings } from './settings.ts';

/** Where the settings are: `~/.draupnir`, or the file that DRAUPNIR_SETTINGS names. */
export function getSettingsFile(): string {
  return process.env.DRAUPNIR_SETTINGS || join(homedir(), '.draupnir');
}

/**
 * Loads the settings; writes a file of defaults when there is none. Warns on stderr when others may read it.
 * Throws `CliError` when it cannot be read, written or understood.
 */
export async function loadSettings(file: string): Promise<Settings> {
  const text = await findText(file);
  if (text === undefined) {
    const settings = createSettings();
    await saveSettings(file, settings);
    return settings;
  }
  return parseSettings(text, file);
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
    await replaceFile(await followLinks(file), text);
  } catch (error) {
    throw describeFileFailure(error, 'write', file);
  }
}

async function findText(file: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) {
      printWarning(`${file} is open to other users, and it may hold a token`, `chmod 600 ${file}`);
    }
    return await readFile(file, 'utf8');
  } catch (error) {
    if (findErrorCode(error) === 'ENOENT') return undefined;
    throw describeFileFailure(error, 'read', file);
  }
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

/** The file at the end of a chain of symbolic links, which need not exist (realpath would insist). */
async function followLinks(file: string, linksLeft = 40): Promise<string> {
  try {
    const target = resolve(dirname(file), await readlink(file));
    return linksLeft === 0 ? file : await followLinks(target, linksLeft - 1);
  } catch (error) {
    const code = findErrorCode(error);
    if (code === 'EINVAL' || code === 'ENOENT') return file;
    throw error;
  }
}
