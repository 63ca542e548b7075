import type { HostInstallation, HostInstallations, NumberRange } from '../core/host-installation.ts';

/** Without UID_COUNT in its host.conf (scripts/lib/common.sh). */
const DEFAULT_UID_COUNT = 1_000_000_000;
/** The highest user; the one above stands for none (chown(2)). */
const MAX_UID = 4_294_967_294;

/** Reads what scripts/draupnir-list-installations prints. Throws when its end is missing. */
export function parseInstallations(lines: readonly string[]): HostInstallations {
  if (lines.at(-1) !== 'end') throw new Error('the list of installations was cut short');
  const rules: { user: string; scripts: string }[] = [];
  const found: { scripts: string; settings: Map<string, string> }[] = [];
  for (const line of lines) {
    const [keyword, one = '', two = ''] = line.split('\t');
    if (keyword === 'rule') rules.push({ user: one, scripts: two });
    else if (keyword === 'installation') found.push({ scripts: one, settings: new Map() });
    else if (keyword === 'setting') found.at(-1)?.settings.set(one, two);
  }
  return { rules, installations: found.flatMap(({ scripts, settings }) => describe(scripts, settings)) };
}

/** One that lacks what every host.conf has is being made or removed. */
function describe(scripts: string, settings: ReadonlyMap<string, string>): HostInstallation[] {
  const text = (name: string): string => settings.get(name) ?? '';
  const number = (name: string): number | undefined =>
    /^[0-9]+$/.test(text(name)) ? Number(text(name)) : undefined;
  const [instanceBase, imageBase] = [number('INSTANCE_UID_BASE'), number('IMAGE_UID_BASE')];
  if (instanceBase === undefined || imageBase === undefined) return [];
  const count = limitUidCount(instanceBase, imageBase, number('UID_COUNT') ?? DEFAULT_UID_COUNT);
  const min = number('min_instance_port') ?? number('MIN_INSTANCE_PORT');
  const max = number('max_instance_port') ?? number('MAX_INSTANCE_PORT');
  const ports: NumberRange | undefined =
    min === undefined || max === undefined ? undefined : { from: min, to: max - 1 };
  return [
    {
      scripts,
      dataPath: text('DATA_PATH'),
      runPath: text('RUN_PATH'),
      uploadUser: text('UPLOAD_USER'),
      instanceUids: { from: instanceBase, to: instanceBase + count - 1 },
      imageUids: { from: imageBase, to: imageBase + count - 1 },
      instancePorts: ports,
      apiPort: number('api_port'),
      chainPrefix: text('chains') === 'none' ? undefined : text('chains'),
    },
  ];
}

/** The two ranges of one installation do not meet (limit_uid_count of scripts/lib/common.sh). */
function limitUidCount(instanceBase: number, imageBase: number, count: number): number {
  const highest = Math.max(instanceBase, imageBase);
  return Math.min(count, Math.abs(imageBase - instanceBase), MAX_UID + 1 - highest);
}
