import { readAsset } from '../assets.ts';
import { checkConfigFile } from '../config/check-config-file.ts';
import { parseServerConfig } from '../config/server-config.ts';
import { checkCertificate } from './config-check/check-certificate.ts';
import { checkHost } from './config-check/check-host.ts';
import { checkNetwork } from './config-check/check-network.ts';
import { checkSampleValues } from './config-check/check-sample-values.ts';
import { formatOutcome, fromProblem, type Outcome } from './config-check/outcome.ts';
import { leaveRootToCheck } from './server-user.ts';

/** The lines of a check, by level. */
export type ConfigReport = Readonly<Record<Outcome['level'], string[]>>;

/**
 * `draupnir config check`: whether the server could run with the file, on this host. `offline` leaves out the database
 * and the ports. As root it looks as the server's user.
 */
export async function runConfigCheck(configFile: string, offline: boolean): Promise<ConfigReport> {
  // From source it is a file that the server's user may not read.
  const sample = parseServerConfig(readAsset('sample/config.toml').toString(), 'sample').readable;
  const self = { isServerUser: true };
  const checked = await checkConfigFile(configFile, process.env, async (files) => {
    self.isServerUser = await leaveRootToCheck(files, configFile);
  });
  const { isServerUser } = self;
  const { readable, certificate, problems, warnings } = checked;
  const outcomes = [
    ...problems.map((problem) => fromProblem('problem', problem)),
    ...warnings.map((warning) => fromProblem('warning', warning)),
  ];
  // Of a file that cannot be read nothing else is known.
  if (Object.keys(readable).length > 0) {
    const host = await checkHost(readable, configFile, isServerUser);
    // Its certificate cannot be read: that has been said.
    const asksDatabase = isServerUser && !problems.some(({ path }) => path === 'database_url');
    const network = offline ? listSkipped() : await checkNetwork(readable, host.hostConf, { asksDatabase });
    outcomes.push(
      ...checkSampleValues(readable, sample),
      ...(certificate ? checkCertificate(certificate, readable, new Date()) : []),
      ...host.outcomes,
      ...(isServerUser ? [] : [UNKNOWN_USER]),
      ...network,
    );
  }
  return groupLines(outcomes, configFile);
}

const UNKNOWN_USER: Outcome = {
  level: 'warning',
  path: 'encryption_key_file',
  message:
    'does not show which user runs the server, so that sudo rules and database are not checked: run this as that user',
};

function listSkipped(): Outcome[] {
  return ['database_url', 'http', 'min_instance_port'].map((path) => ({
    level: 'skipped',
    path,
    message: '--offline',
  }));
}

function groupLines(outcomes: readonly Outcome[], configFile: string): ConfigReport {
  const list = (level: Outcome['level']): string[] =>
    outcomes.filter((each) => each.level === level).map((each) => formatOutcome(each, configFile));
  return { problem: list('problem'), warning: list('warning'), ok: list('ok'), skipped: list('skipped') };
}
