import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../config/problem.ts';
import type { ServerConfig } from '../config/server-config.ts';

/**
 * Checks that the scripts work on the same data directory as the server, and guard the same ports. They take that from a file
 * of root's alone, never from us, so the two could disagree. Throws ConfigError with every difference.
 */
export async function checkHostConf(
  config: Pick<
    ServerConfig,
    'scriptsPath' | 'dataPath' | 'enableIpWhitelisting' | 'minInstancePort' | 'maxInstancePort'
  >,
  configFile: string,
): Promise<void> {
  let file = join(config.scriptsPath, 'host.conf');
  let text: string;
  try {
    // A package has it in /etc, which is where it is to be changed.
    file = await realpath(file);
    text = await readFile(file, 'utf8');
  } catch (error) {
    const message = `${file} cannot be read: install the scripts there, with a host.conf beside them`;
    throw new ConfigError([{ file: configFile, path: 'scripts_path', message }], [], { cause: error });
  }
  const { dataPath, minInstancePort, maxInstancePort } = config;
  const pairs: [path: string, found: string, name: string][] = [['data_path', dataPath, 'DATA_PATH']];
  if (config.enableIpWhitelisting) {
    pairs.push(['min_instance_port', String(minInstancePort), 'MIN_INSTANCE_PORT']);
    pairs.push(['max_instance_port', String(maxInstancePort), 'MAX_INSTANCE_PORT']);
  }
  const problems = pairs.flatMap(([path, found, name]) => {
    const expected = new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1];
    if (expected === found) return [];
    const message = `must be the ${name} of ${file}, which is ${expected ?? 'missing'}`;
    return [{ file: configFile, path, message, found }];
  });
  if (problems.length > 0) throw new ConfigError(problems);
}
