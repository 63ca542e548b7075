import { checkConfigFile } from '../config/check-config-file.ts';
import { leaveRoot } from './server-user.ts';

/**
 * `draupnir config check`: whether the server could use the file, and the lines that say what is wrong with it. As root it looks
 * at the files that the configuration names as the server's user.
 */
export function runConfigCheck(file: string): Promise<{ ok: boolean; lines: string[] }> {
  return checkConfigFile(file, process.env, (files) => leaveRoot(files, file));
}
