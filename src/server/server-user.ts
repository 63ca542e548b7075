import { stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { execa } from 'execa';
import { ConfigError } from '../config/problem.ts';
import type { ServerConfig } from '../config/server-config.ts';

/**
 * As root becomes the user the server runs as, for good: the metadata database may know its users by their names in the
 * system, and the sudo rules are that user's. It is the owner of the encryption key, or of its directory as long as there is
 * none. Another user stays who it is. Throws ConfigError.
 */
export async function becomeServerUser(
  { encryptionKeyFile }: Pick<ServerConfig, 'encryptionKeyFile'>,
  configFile: string,
): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const uid = (await findOwner(encryptionKeyFile)) ?? (await findOwner(dirname(encryptionKeyFile)));
  if (uid === undefined || uid === 0) {
    const message = `must be a file of the server's user, which tells who that is: start the server once, or run this as its user`;
    throw new ConfigError([
      { file: configFile, path: 'encryption_key_file', message, found: encryptionKeyFile },
    ]);
  }
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
    return (await stat(path)).uid;
  } catch {
    return undefined;
  }
}
