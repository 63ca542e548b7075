import { inspectServerConfig, type InspectedServerConfig } from './load-server-config.ts';
import { ConfigError } from './problem.ts';
import type { ConfigEnvironment, ConfigFiles } from './server-config.ts';

/**
 * Checks a server configuration file, and the certificates it names, without starting anything. Nothing of it is
 * readable when the file is not, or when `beforeFiles` throws `ConfigError` (see `loadServerConfig`).
 */
export async function checkConfigFile(
  file: string,
  env: ConfigEnvironment = process.env,
  beforeFiles: (files: ConfigFiles) => Promise<void> = () => Promise.resolve(),
): Promise<InspectedServerConfig> {
  try {
    return await inspectServerConfig(file, env, new Date(), beforeFiles);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { readable: {}, problems: [...error.problems], warnings: [...error.warnings] };
  }
}
