import { findOverlaps, type HostInstallation, type Overlap } from '../core/host-installation.ts';
import type { Checked, Finding } from './finding.ts';

/** Another installation that uses something of ours. */
export interface SharedInstallation {
  readonly scripts: string;
  readonly overlaps: readonly Overlap[];
}

/** The way out of an overlap. */
export const RENUMBER_HINT = 'give one of the two its own: README, "Two installations on one host"';
/** A repair ends processes by their numeric user. */
const NO_FIX = 'until then --fix does nothing, since it could stop instances of the other';

/** Installations that share something with the one whose scripts are in this folder. */
export function listShared(
  installations: readonly HostInstallation[],
  scripts: string,
): SharedInstallation[] {
  const own = installations.find((each) => each.scripts === scripts);
  if (!own) return [];
  return installations
    .filter((each) => each !== own)
    .map((other) => ({ scripts: other.scripts, overlaps: findOverlaps(own, other) }))
    .filter(({ overlaps }) => overlaps.length > 0);
}

/** I14: two installations on one host do not affect each other: they share no numbers, chains or paths. */
export function checkOtherInstallations(
  installations: readonly HostInstallation[],
  scripts: string,
): Checked {
  const findings = listShared(installations, scripts).map(({ scripts: other, overlaps }): Finding => ({
    invariant: 'I14',
    object: `installation ${other}`,
    message: `uses the same ${overlaps.map(({ what }) => what).join(', ')} as ${scripts}`,
    hint: sharesUsers(overlaps) ? `${RENUMBER_HINT}; ${NO_FIX}` : RENUMBER_HINT,
  }));
  return { count: installations.filter((each) => each.scripts !== scripts).length, findings };
}

/** Whether processes of the other cannot be told from ours. */
export function sharesUsers(overlaps: readonly Overlap[]): boolean {
  return overlaps.some(({ kind }) => kind === 'users');
}
