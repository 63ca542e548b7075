import { lstat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { execa } from 'execa';
import { loadServerConfig } from '../config/load-server-config.ts';
import { ConfigError, type Problem } from '../config/problem.ts';
import type { ConfigFiles, ServerConfig } from '../config/server-config.ts';
import { listTlsFiles } from '../config/tls-files.ts';
import { findForeignDirectory } from '../exec/foreign-directory.ts';

/** Loads the configuration. As root it leaves root before it opens a file that the configuration names. Throws ConfigError. */
export function loadConfigAsServerUser(
  configFile: string,
): Promise<{ config: ServerConfig; warnings: Problem[] }> {
  return loadServerConfig(configFile, process.env, new Date(), (files) => leaveRoot(files, configFile));
}

/**
 * As root becomes the user the server runs as, for good. Without one, as before the first start of a server or where root
 * runs it, root goes on, provided that no other user can put a link in the way of its files. Throws ConfigError.
 */
export async function leaveRoot(files: ConfigFiles, configFile: string): Promise<void> {
  if (process.geteuid?.() !== 0 || files.state === undefined) return;
  const { encryptionKeyFile, auditLog } = files.state;
  const uid = await findServerUser(encryptionKeyFile);
  if (uid !== undefined && uid !== 0) {
    await become(uid);
    return;
  }
  const found = await Promise.all(
    [encryptionKeyFile, auditLog, ...listTlsFiles(files)].map(findForeignDirectory),
  );
  const foreign = [...new Set(found.filter((directory) => directory !== undefined))];
  if (foreign.length === 0) return;
  const message =
    'is the way to a file of the server, and users other than root can write to it: run this as the user of the server';
  throw new ConfigError(foreign.map((path) => ({ file: configFile, path, message })));
}

/** The user that the package makes for the server. */
const PACKAGE_USER = 'draupnir';

/**
 * As `leaveRoot`, but before the first start of a server root becomes the package's user, if there is one. Resolves to
 * whether this process is the server's user, as far as can be known: any user but root may be it. Throws ConfigError.
 */
export async function leaveRootToCheck(files: ConfigFiles, configFile: string): Promise<boolean> {
  await leaveRoot(files, configFile);
  if (process.geteuid?.() !== 0 || files.state === undefined) return true;
  // Root's own key: root runs the server.
  if ((await findOwner(files.state.encryptionKeyFile)) === 0) return true;
  const { stdout, exitCode } = await execa('id', ['-u', '--', PACKAGE_USER], { reject: false });
  if (exitCode !== 0) return false;
  await become(Number(stdout));
  return true;
}

/**
 * As root becomes the user the server runs as, for good: the metadata database may know its users by their names in the
 * system, and the sudo rules are that user's. Another user stays who it is. Throws ConfigError when it is unknown or root.
 */
export async function becomeServerUser(files: ConfigFiles, configFile: string): Promise<void> {
  if (process.geteuid?.() !== 0 || files.state === undefined) return;
  const { encryptionKeyFile } = files.state;
  const uid = await findServerUser(encryptionKeyFile);
  if (uid === undefined || uid === 0) {
    const message = `must be a file of the server's user, which tells who that is: start the server once, or run this as its user`;
    throw new ConfigError([
      { file: configFile, path: 'encryption_key_file', message, found: encryptionKeyFile },
    ]);
  }
  await become(uid);
}

/**
 * The owner of the encryption key, or that of its directory as long as there is no key, or root owns it. A link counts as its
 * own owner's file, who could make it lead to a file of any user.
 */
export async function findServerUser(encryptionKeyFile: string): Promise<number | undefined> {
  return (await findOwner(encryptionKeyFile)) || (await findOwner(dirname(encryptionKeyFile)));
}

async function become(uid: number): Promise<void> {
  // The primary group comes first (id(1)).
  const { stdout } = await execa('id', ['-G', '--', String(uid)]);
  const groups = stdout.trim().split(' ').map(Number);
  process.setgroups?.(groups);
  process.setgid?.(groups[0] ?? NaN);
  process.setuid?.(uid);
  // What a connection without a user's name takes (libpq: the name in the system), and programs that look for their home.
  const { username, homedir } = userInfo();
  Object.assign(process.env, { USER: username, LOGNAME: username, HOME: homedir });
}

async function findOwner(path: string): Promise<number | undefined> {
  try {
    return (await lstat(path)).uid;
  } catch {
    return undefined;
  }
}
