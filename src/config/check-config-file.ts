import { loadServerConfig } from './load-server-config.ts';
import { ConfigError, formatWarning } from './problem.ts';
import type { ConfigEnvironment, ConfigFiles } from './server-config.ts';

/**
 * Checks a server configuration file without starting anything. `lines` are for people: problems and warnings. `beforeFiles` as in
 * `loadServerConfig`.
 */
export async function checkConfigFile(
  file: string,
  env: ConfigEnvironment = process.env,
  beforeFiles?: (files: ConfigFiles) => Promise<void>,
): Promise<{ ok: boolean; lines: string[] }> {
  try {
    const { warnings } = await loadServerConfig(file, env, new Date(), beforeFiles);
    return { ok: true, lines: warnings.map(formatWarning) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { ok: false, lines: error.lines };
  }
}
