import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, type Problem } from '../config/problem.ts';
import type { ReadableConfig } from '../config/readable-config.ts';
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
  const problems = listHostConfProblems(
    config,
    await readHostConf(config.scriptsPath, configFile),
    configFile,
  );
  if (problems.length > 0) throw new ConfigError(problems);
}

/** The file that the scripts take their settings from. */
export interface HostConf {
  readonly file: string;
  readonly text: string;
}

/** Reads host.conf beside the scripts. Throws ConfigError, which names the reason and what to do. */
export async function readHostConf(scriptsPath: string, configFile: string): Promise<HostConf> {
  let file = join(scriptsPath, 'host.conf');
  try {
    // A package has it in /etc, which is where it is to be changed.
    file = await realpath(file);
    return { file, text: await readFile(file, 'utf8') };
  } catch (error) {
    const isDenied = error instanceof Error && 'code' in error && error.code === 'EACCES';
    const message = isDenied
      ? `${file} cannot be read: permission denied; let every user read it, such as by chmod 0644`
      : `${file} cannot be read: install the scripts there, with a host.conf beside them`;
    throw new ConfigError([{ file: configFile, path: 'scripts_path', message }], [], { cause: error });
  }
}

/** What host.conf sets `name` to; bash takes the last one. */
export function findHostSetting({ text }: HostConf, name: string): string | undefined {
  const found = [...text.matchAll(new RegExp(`^${name}=(["']?)(.*)\\1$`, 'gm'))];
  return found.at(-1)?.[2];
}

/** Where the configuration and host.conf differ; what could not be read of the configuration is left out. */
export function listHostConfProblems(
  config: Pick<ReadableConfig, 'dataPath' | 'enableIpWhitelisting' | 'minInstancePort' | 'maxInstancePort'>,
  conf: HostConf,
  configFile: string,
): Problem[] {
  const { dataPath, minInstancePort, maxInstancePort } = config;
  const pairs: [path: string, value: string | number | undefined, name: string][] = [
    ['data_path', dataPath, 'DATA_PATH'],
  ];
  if (config.enableIpWhitelisting === true) {
    pairs.push(['min_instance_port', minInstancePort, 'MIN_INSTANCE_PORT']);
    pairs.push(['max_instance_port', maxInstancePort, 'MAX_INSTANCE_PORT']);
  }
  return pairs.flatMap(([path, value, name]) => {
    if (value === undefined) return [];
    const [found, expected] = [String(value), findHostSetting(conf, name)];
    if (expected === found) return [];
    const message = `must be the ${name} of ${conf.file}, which is ${expected ?? 'missing'}`;
    return [{ file: configFile, path, message, found }];
  });
}
