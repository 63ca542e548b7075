import type { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describeReadError } from './file-reader.ts';
import { ConfigError } from './problem.ts';
import type { Problem } from './problem.ts';
import { parseServerConfig } from './server-config.ts';
import type { ConfigEnvironment, ConfigFiles, ParsedServerConfig, ServerConfig } from './server-config.ts';
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
  const { config, problems, warnings } = await inspectServerConfig(file, env, now, beforeFiles);
  if (config === undefined || problems.length > 0) throw new ConfigError(problems, warnings);
  return { config, warnings };
}

/** A configuration file and the certificates it names: what could be read, and all that is wrong. */
export interface InspectedServerConfig extends Pick<ParsedServerConfig, 'config' | 'readable'> {
  /** That of the API, if it speaks HTTPS. */
  readonly certificate?: X509Certificate;
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

/** As `loadServerConfig`, but problems are returned. Throws `ConfigError` only when the file cannot be read, and what `beforeFiles` throws. */
export async function inspectServerConfig(
  file: string,
  env: ConfigEnvironment,
  now: Date,
  beforeFiles: (files: ConfigFiles) => Promise<void>,
): Promise<InspectedServerConfig> {
  const parsed = parseServerConfig(await readConfigFile(file), file, env);
  await beforeFiles(parsed.files);
  const checked = await checkTlsFiles(parsed.files, file, now);
  return {
    ...parsed,
    ...checked,
    problems: [...parsed.problems, ...checked.problems],
    warnings: [...parsed.warnings, ...checked.warnings],
  };
}

async function readConfigFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const message = `cannot be read: ${describeReadError(error)}; name another file by --config FILE`;
    throw new ConfigError([{ file, path: '', message }], [], { cause: error });
  }
}
