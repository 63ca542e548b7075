import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../config/problem.ts';
import type { ServerConfig } from '../config/server-config.ts';

/**
 * Checks that the scripts work on the same data directory as the server. They take their paths from a file of root's
 * alone, never from us, so the two could disagree. Throws ConfigError.
 */
export async function checkHostConf(
  config: Pick<ServerConfig, 'scriptsPath' | 'dataPath'>,
  configFile: string,
): Promise<void> {
  const file = join(config.scriptsPath, 'host.conf');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const message = `${file} cannot be read: install the scripts there, with a host.conf beside them`;
    throw new ConfigError([{ file: configFile, path: 'scripts_path', message }], [], { cause: error });
  }
  const dataPath = /^DATA_PATH=(.*)$/m.exec(text)?.[1];
  if (dataPath !== config.dataPath) {
    const message = `must be the DATA_PATH of ${file}, which is ${dataPath ?? 'missing'}`;
    throw new ConfigError([{ file: configFile, path: 'data_path', message, found: config.dataPath }]);
  }
}
