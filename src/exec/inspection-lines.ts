import type {
  Busy,
  Entry,
  Firewall,
  Folder,
  ImageNetwork,
  ImageState,
  Inspection,
  Process,
  Subvolume,
} from '../doctor/inspection.ts';
import { parseListeningSockets } from './listening-sockets.ts';

const FOLDERS: readonly Folder[] = [
  'image_uploads',
  'image_snapshots',
  'image_work',
  'instances',
  'instance_config',
  'run_images',
  'run_instances',
];

/** A line of `btrfs subvolume list -p` or `-r`. */
const SUBVOLUME = /^ID ([0-9]+) gen [0-9]+ (?:parent ([0-9]+) )?top level [0-9]+ path (.*)$/;
/** From here on draupnir-inspect numbers subvolumes whose number it could not find out. */
const FIRST_PLACEHOLDER = 4_000_000_000;
/** pid, parent, real uid, age in seconds, state, name. */
const PROCESS = /^([0-9]+) +([0-9]+) +(-?[0-9]+) +([0-9]+) +(\S+) +(.*)$/;

/** Reads what scripts/draupnir-inspect prints. Throws when its end is missing: half a look would be full of false findings. */
export function parseInspection(lines: readonly string[]): Inspection {
  if (lines.at(-1) !== 'end') throw new Error('the inspection of the host was cut short');
  const groups = Map.groupBy(lines, (line) => line.split('\t', 1)[0] ?? '');
  const get = (keyword: string): string[] =>
    (groups.get(keyword) ?? []).map((line) => line.slice(keyword.length + 1));
  const fields = (keyword: string): string[][] => get(keyword).map((rest) => rest.split('\t'));
  const [imageBase = NaN, instanceBase = NaN, count = NaN] = (fields('uids')[0] ?? []).map(Number);
  const [blockBytes = NaN, free = NaN, total = NaN] = (fields('space')[0] ?? []).map(Number);
  const [type = '', options = '', ...target] = (get('mount')[0] ?? '').split(' ');
  return {
    uids: { imageBase, instanceBase, count },
    mount: { type, options: options.split(','), target: target.join(' ') },
    space: { freeBytes: blockBytes * free, totalBytes: blockBytes * total },
    subvolumes: parseSubvolumes(Number(get('root')[0]), get('subvolume'), get('readonly')),
    entries: parseEntries(fields('entry'), new Set(get('empty'))),
    imageStates: fields('image').flatMap(parseImageState),
    processes: get('process').flatMap(parseProcess),
    workingIn: new Map(fields('cwd').map(([proc = '', path = '']) => [Number(proc.split('/')[2]), path])),
    postmasters: new Map(
      fields('postmaster').map(([file = '', pid]) => [Number.parseInt(file, 10), Number(pid)]),
    ),
    unfiltered: new Set(get('unfiltered').map(Number)),
    networks: fields('network').map(parseNetwork),
    hasIpv6: groups.has('ipv6'),
    listeners: [...parseListeningSockets(get('tcp4'), 4), ...parseListeningSockets(get('tcp6'), 6)],
    whitelistChain: get('chain')[0] ?? '',
    firewalls: [...parseFirewall(4, get('iptables')), ...parseFirewall(6, get('ip6tables'))],
    busy: parseBusy(fields('busy')),
  };
}

/** What descends from the data directory; a volume may hold other things as well. */
function parseSubvolumes(
  root: number,
  all: readonly string[],
  writeProtected: readonly string[],
): Subvolume[] {
  const readOnly = new Set(writeProtected.map((line) => SUBVOLUME.exec(line)?.[1]));
  const parents = new Map<number, number>();
  const listed = all.flatMap((line) => {
    const [, id = '', parent = '', path = ''] = SUBVOLUME.exec(line) ?? [];
    if (id === '') return [];
    parents.set(Number(id), Number(parent));
    return [{ id: Number(id), path, readOnly: readOnly.has(id) }];
  });
  const isBelow = (id: number): boolean => {
    // A made-up line may have made a circle.
    let at = parents.get(id);
    for (let hops = 0; at !== undefined && at !== root && hops < parents.size; hops++) at = parents.get(at);
    return at === root;
  };
  return listed
    .filter(({ id }) => isBelow(id))
    .map(({ id, path, readOnly: isReadOnly }) => {
      const subvolume = { path, readOnly: isReadOnly };
      if (parents.get(id) === root) return { ...subvolume, nested: false };
      return { ...subvolume, nested: true, id: id < FIRST_PLACEHOLDER ? id : 0 };
    });
}

/** The root of a btrfs subvolume always has inode 256 (btrfs-subvolume(8)). */
function parseEntries(lines: readonly string[][], empty: ReadonlySet<string>): Entry[] {
  return lines.flatMap(([label, type, inode, ownerUid, ...rest]) => {
    const folder = FOLDERS.find((each) => each === label);
    const name = rest.join('\t');
    if (!folder) return [];
    const subvolume = type === 'd' && inode === '256';
    return [
      {
        folder,
        name,
        ownerUid: Number(ownerUid),
        subvolume,
        empty: folder === 'instance_config' && empty.has(name),
      },
    ];
  });
}

function parseImageState([name = '', original, state = '']: string[]): ImageState[] {
  if (!/^[1-9][0-9]{0,8}$/.test(name)) return [];
  const controlState = /^[0-9]+$/.test(state) ? Number(state) : undefined;
  return [{ id: Number(name), original: original === 'yes', controlState }];
}

function parseProcess(line: string): Process[] {
  const [, pid, ppid, uid, ageS, state = 'Z', name = ''] = PROCESS.exec(line) ?? [];
  if (/^[ZX]/.test(state)) return [];
  // ps prints a uid above 2^31 as a negative number.
  return [{ pid: Number(pid), ppid: Number(ppid), uid: Number(uid) >>> 0, ageS: Number(ageS), name }];
}

function parseNetwork([pid, uid, owner, interfaces = '', listeners]: string[]): ImageNetwork {
  return {
    pid: Number(pid),
    uid: Number(uid),
    ofHost: owner !== 'own',
    interfaces: interfaces === '' ? [] : interfaces.split(','),
    listeners: Number(listeners),
  };
}

function parseFirewall(family: 4 | 6, lines: string[]): Firewall[] {
  if (lines.length === 0) return [];
  return [{ family, rules: lines.includes('absent') ? undefined : lines }];
}

function parseBusy(lines: readonly string[][]): Busy {
  const of = (wanted: string): Set<number> =>
    new Set(lines.filter(([kind]) => kind === wanted).map(([, id]) => Number(id)));
  return { image: of('image'), instance: of('instance') };
}
