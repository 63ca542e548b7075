import { realpath } from 'node:fs/promises';
import type { ServerConfig } from '../config/server-config.ts';
import type { HostInstallation } from '../core/host-installation.ts';
import type { Log } from '../core/log.ts';
import { listShared, RENUMBER_HINT, type SharedInstallation } from '../doctor/check-other-installations.ts';
import { parseInstallations } from '../exec/installation-lines.ts';
import { ScriptRunner } from '../exec/script-runner.ts';

/** The installations of this host, and which of them is this one. */
export interface OtherInstallations {
  readonly installations: readonly HostInstallation[];
  /** Our folder of scripts, by its one true name. */
  readonly scripts: string;
  /** Those that use something of ours. */
  readonly shared: readonly SharedInstallation[];
}

/** Looks for the installations of this host, which root alone can find. Throws ScriptError. */
export async function findOtherInstallations(
  { scriptsPath }: Pick<ServerConfig, 'scriptsPath'>,
  runner: ScriptRunner,
): Promise<OtherInstallations> {
  const lines = await runner.run('draupnir-list-installations', []);
  const { installations } = parseInstallations(lines);
  const scripts = await realpath(scriptsPath);
  return { installations, scripts, shared: listShared(installations, scripts) };
}

/**
 * Logs which other installations would hurt this one, and be hurt. Never throws: the server works with them
 * as well.
 */
export async function logSharedInstallations(
  config: Pick<ServerConfig, 'scriptsPath' | 'scriptTimeoutMs'>,
  log: Log,
): Promise<void> {
  try {
    const runner = new ScriptRunner(config.scriptsPath, config.scriptTimeoutMs);
    const { scripts, shared } = await findOtherInstallations(config, runner);
    for (const { scripts: other, overlaps } of shared) {
      const both = overlaps.map(({ what }) => what);
      log.error({ scripts, other, both, hint: RENUMBER_HINT }, 'another installation uses the same');
    }
  } catch (error) {
    const hint = 'install the scripts and the rules of sudoers.example';
    log.warn({ err: error, hint }, 'cannot look for other installations on this host');
  }
}
