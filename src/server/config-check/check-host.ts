import { userInfo } from 'node:os';
import { ConfigError } from '../../config/problem.ts';
import type { ReadableConfig } from '../../config/readable-config.ts';
import { listScriptsWithoutRule } from '../../exec/sudo-rules.ts';
import { findHostSetting, type HostConf, listHostConfProblems, readHostConf } from '../host-conf.ts';
import { checkLocales } from './check-locales.ts';
import { checkPostgres } from './check-postgres.ts';
import { checkSudo } from './check-sudo.ts';
import { checkVolume } from './check-volume.ts';
import { findLocales, findPostgresPrograms, inspectVolume } from './host-facts.ts';
import { fromProblem, type Outcome } from './outcome.ts';

/** What of this host the checks look at; `hostConf` is there when it could be read. */
export interface CheckedHost {
  readonly hostConf: HostConf | undefined;
  readonly outcomes: readonly Outcome[];
}

/** Compares the configuration with host.conf, and looks at volume, sudo rules, Postgres and locales of this host. */
export async function checkHost(
  config: ReadableConfig,
  configFile: string,
  isServerUser: boolean,
): Promise<CheckedHost> {
  const { scriptsPath, dataPath } = config;
  const conf =
    scriptsPath === undefined ? { problems: [] } : await tryToReadHostConf(scriptsPath, configFile);
  const { hostConf, problems } = conf;
  const differences = hostConf ? listHostConfProblems(config, hostConf, configFile) : [];
  const [volume, sudo, postgres, locales] = await Promise.all([
    dataPath === undefined ? [] : inspectVolume(dataPath).then(checkVolume),
    scriptsPath === undefined || !isServerUser ? [] : checkRules(scriptsPath),
    hostConf ? checkPrograms(hostConf) : [],
    findLocales().then(checkLocales),
  ]);
  const differing = [...problems, ...differences].map((problem) => fromProblem('problem', problem));
  return { hostConf, outcomes: [...differing, ...volume, ...sudo, ...postgres, ...locales] };
}

async function tryToReadHostConf(
  scriptsPath: string,
  configFile: string,
): Promise<{ hostConf?: HostConf; problems: ConfigError['problems'] }> {
  try {
    return { hostConf: await readHostConf(scriptsPath, configFile), problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { problems: error.problems };
  }
}

async function checkRules(scriptsPath: string): Promise<Iterable<Outcome>> {
  const scriptsWithoutRule = await listScriptsWithoutRule(scriptsPath);
  return checkSudo({ scriptsWithoutRule, serverUser: userInfo().username }, scriptsPath);
}

async function checkPrograms(hostConf: HostConf): Promise<Iterable<Outcome>> {
  const root = findHostSetting(hostConf, 'POSTGRES_ROOT');
  if (root !== undefined) return checkPostgres(await findPostgresPrograms(root), hostConf.file);
  const message = 'is missing: set it to the directory of the Postgres majors, such as /usr/lib/postgresql';
  return [{ level: 'problem', file: hostConf.file, path: 'POSTGRES_ROOT', message }];
}
