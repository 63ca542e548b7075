import { readFile } from 'node:fs/promises';
import { describeReadError } from './file-reader.ts';
import { ConfigError } from './problem.ts';
import type { Problem } from './problem.ts';
import { parseServerConfig } from './server-config.ts';
import type { ConfigEnvironment, ConfigFiles, ServerConfig } from './server-config.ts';
import { checkTlsFiles } from './tls-files.ts';

/**
 * Reads, parses and checks the server's configuration file, also the certificates it names. Throws `ConfigError` with
 * every problem that was found. `beforeFiles` comes before the files that the configuration names are opened: as root they
 * may be links of another user.
 */
export async function loadServerConfig(
  file: string,
  env: ConfigEnvironment = process.env,
  now = new Date(),
  beforeFiles: (files: ConfigFiles) => Promise<void> = () => Promise.resolve(),
): Promise<{ config: ServerConfig; warnings: Problem[] }> {
  const parsed = parseServerConfig(await readConfigFile(file), file, env);
  await beforeFiles(parsed.files);
  const checked = await checkTlsFiles(parsed.files, file, now);
  const problems = [...parsed.problems, ...checked.problems];
  const warnings = [...parsed.warnings, ...checked.warnings];
  if (parsed.config === undefined || problems.length > 0) throw new ConfigError(problems, warnings);
  return { config: parsed.config, warnings };
}

async function readConfigFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const message = `cannot be read: ${describeReadError(error)}; name another file by --config FILE`;
    throw new ConfigError([{ file, path: '', message }], [], { cause: error });
  }
}
