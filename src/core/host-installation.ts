/** Numbers from `from` to `to`, both included. */
export interface NumberRange {
  readonly from: number;
  readonly to: number;
}

/** An installation of this host, by what no two of them may share. */
export interface HostInstallation {
  /** Folder of its scripts, which names it. */
  readonly scripts: string;
  /** Empty where its host.conf does not name it in plain characters. */
  readonly dataPath: string;
  readonly runPath: string;
  /** Copies backups into its upload directories. */
  readonly uploadUser: string;
  /** Numeric users of its instances, and of its images under preparation; control groups bear these numbers. */
  readonly instanceUids: NumberRange;
  readonly imageUids: NumberRange;
  /** Ports of its instances; undefined where no file names them. */
  readonly instancePorts: NumberRange | undefined;
  readonly apiPort: number | undefined;
  /** What the names of its firewall chains begin with; undefined when its configuration uses none. */
  readonly chainPrefix: string | undefined;
}

/** A sudo rule for the scripts of an installation, which need not exist any more. */
export interface HostRule {
  readonly user: string;
  readonly scripts: string;
}

/** The installations of a host. */
export interface HostInstallations {
  readonly installations: readonly HostInstallation[];
  readonly rules: readonly HostRule[];
}

/** Something that two installations both use. */
export interface Overlap {
  /** With the same numeric users each ends processes of the other. */
  readonly kind: 'users' | 'ports' | 'chains' | 'paths';
  /** For people, such as `ports 16432 to 16631`. */
  readonly what: string;
}

/** What two installations share and must not. */
export function findOverlaps(one: HostInstallation, other: HostInstallation): Overlap[] {
  const overlaps: Overlap[] = [];
  for (const own of [one.instanceUids, one.imageUids]) {
    for (const theirs of [other.instanceUids, other.imageUids]) {
      const common = intersect(own, theirs);
      if (common) overlaps.push({ kind: 'users', what: `numeric users ${formatRange(common)}` });
    }
  }
  for (const own of listPorts(one)) {
    for (const theirs of listPorts(other)) {
      const common = intersect(own, theirs);
      if (common) overlaps.push({ kind: 'ports', what: `ports ${formatRange(common)}` });
    }
  }
  if (one.chainPrefix !== undefined && one.chainPrefix === other.chainPrefix) {
    overlaps.push({ kind: 'chains', what: `firewall chains ${one.chainPrefix}-*` });
  }
  for (const [name, path, theirs] of [
    ['DATA_PATH', one.dataPath, other.dataPath],
    ['RUN_PATH', one.runPath, other.runPath],
  ] as const) {
    if (path !== '' && path === theirs) overlaps.push({ kind: 'paths', what: `${name} ${path}` });
  }
  return overlaps;
}

/** The numbers that are in both. */
export function intersect(one: NumberRange, other: NumberRange): NumberRange | undefined {
  const [from, to] = [Math.max(one.from, other.from), Math.min(one.to, other.to)];
  return from <= to ? { from, to } : undefined;
}

function listPorts({ instancePorts, apiPort }: HostInstallation): NumberRange[] {
  const api = apiPort === undefined ? [] : [{ from: apiPort, to: apiPort }];
  return [...(instancePorts ? [instancePorts] : []), ...api];
}

function formatRange({ from, to }: NumberRange): string {
  return from === to ? String(from) : `${from} to ${to}`;
}
