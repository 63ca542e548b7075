import { realpath } from 'node:fs/promises';
import { readAsset } from '../assets.ts';
import { findOverlaps, type HostInstallation, type HostRule } from '../core/host-installation.ts';
import { parseInstallations } from '../exec/installation-lines.ts';
import { run } from './host.ts';
import type { Layout } from './layout.ts';

/** The package's users and their files stay while it is removed but not purged. */
const PACKAGE_SCRIPTS = '/usr/lib/draupnir/scripts';

/** The installations of this host as one of them sees them. */
export interface Neighbourhood {
  /** This one, when an earlier run has made it. */
  readonly own: HostInstallation | undefined;
  readonly others: readonly HostInstallation[];
  /** Sudo rules for scripts of others, some of which may be gone. */
  readonly rules: readonly HostRule[];
}

/** Finds the installations of this host. */
export async function findNeighbours(layout: Layout): Promise<Neighbourhood> {
  const script = readAsset('scripts/draupnir-list-installations').toString();
  const output = await run(['bash', '-p', '-s', '--', layout.scripts], { input: script });
  const { installations, rules } = parseInstallations(output.split('\n'));
  const scripts = await realpath(layout.scripts).catch(() => layout.scripts);
  return {
    own: installations.find((each) => each.scripts === scripts),
    others: installations.filter((each) => each.scripts !== scripts),
    rules: rules.filter((each) => each.scripts !== layout.scripts && each.scripts !== scripts),
  };
}

/** Users of other installations: of those that exist, and with `orphaned` of all that sudo rules name. */
export function listUsersOfOthers(
  { others, rules }: Pick<Neighbourhood, 'others' | 'rules'>,
  { orphaned }: { orphaned: boolean },
): Set<string> {
  const existing = new Set([PACKAGE_SCRIPTS, ...others.map(({ scripts }) => scripts)]);
  return new Set([
    ...rules.filter(({ scripts }) => orphaned || existing.has(scripts)).map(({ user }) => user),
    ...others.map(({ uploadUser }) => uploadUser),
  ]);
}

/** Whether this installation exists and shares something with another. */
export function sharesSomething({ own, others }: Pick<Neighbourhood, 'own' | 'others'>): boolean {
  return own !== undefined && others.some((other) => findOverlaps(own, other).length > 0);
}

/**
 * Throws when an installation that exists shares something with another: each would end processes of the
 * other.
 */
export function refuseOverlaps({ own, others }: Neighbourhood, layout: Layout): void {
  const lines = others.flatMap((other) => {
    const both = own ? findOverlaps(own, other) : [];
    if (both.length === 0) return [];
    return [`  ${other.scripts}: ${both.map(({ what }) => what).join(', ')}`];
  });
  if (lines.length === 0) return;
  const renumber = `${process.execPath} quickstart --renumber --dir ${layout.dir}`;
  throw new Error(
    [
      `${layout.dir} uses the same as other installations on this host, with their scripts in`,
      ...lines,
      'so that each could stop instances of the other. Nothing was changed.',
      `To give ${layout.dir} numbers of its own, which stops its instances for a moment:`,
      `  ${renumber}`,
      'Instances of the other that have the same number are stopped with them; its server starts them again.',
    ].join('\n'),
  );
}
