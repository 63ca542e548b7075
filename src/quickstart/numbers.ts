import { intersect, type HostInstallation, type NumberRange } from '../core/host-installation.ts';

/** What an installation must not share with another one of the host; as settings of its host.conf. */
export interface Numbers {
  INSTANCE_UID_BASE: number;
  IMAGE_UID_BASE: number;
  /** Numeric users from each of the two on. */
  UID_COUNT: number;
  MIN_INSTANCE_PORT: number;
  /** Not one of the ports any more. */
  MAX_INSTANCE_PORT: number;
  CGROUP: string;
  CHAIN_PREFIX: string;
}

/** More ids than a playground hands out. */
const UID_COUNT = 10_000_000;
/**
 * Where numeric users are taken from: instances from `first`, images `distance` above, below `first` + 2 ×
 * `distance`. An installation of quickstart from before there was a choice takes the first of the two as a
 * whole.
 */
const UID_POOLS = [
  { first: 3_000_000_000, distance: 500_000_000 },
  { first: 900_000_000, distance: 50_000_000 },
];
/** Below the ports that quickstart gives to the API, and those that the kernel gives to clients. */
const PORTS: NumberRange = { from: 16_432, to: 18_431 };
const PORT_COUNT = 200;

/** What a packaged installation uses when it is installed (scripts/host.conf.example), which may be later. */
const OF_PACKAGE = {
  instanceUids: { from: 1_000_000_000, to: 1_999_999_999 },
  imageUids: { from: 2_000_000_000, to: 2_999_999_999 },
  instancePorts: { from: 7432, to: 8431 },
  apiPort: undefined,
};

type Taken = Pick<HostInstallation, 'instanceUids' | 'imageUids' | 'instancePorts' | 'apiPort'>;

/**
 * The first numbers that neither these installations nor the package use, and ports on which nothing listens:
 * instances keep theirs when their installation is renumbered. Throws when there are none.
 */
export function chooseNumbers(others: readonly Taken[], listening: readonly number[] = []): Numbers {
  const all = [OF_PACKAGE, ...others];
  const uids = chooseUids(all.flatMap(({ instanceUids, imageUids }) => [instanceUids, imageUids]));
  const apiPorts = all.flatMap(({ apiPort }) => (apiPort === undefined ? [] : [apiPort]));
  const port = choosePort([
    ...all.flatMap(({ instancePorts }) => (instancePorts ? [instancePorts] : [])),
    ...[...apiPorts, ...listening].map((single) => ({ from: single, to: single })),
  ]);
  return {
    ...uids,
    MIN_INSTANCE_PORT: port,
    MAX_INSTANCE_PORT: port + PORT_COUNT,
    // No two have the same port.
    CGROUP: `draupnir-${port}`,
    CHAIN_PREFIX: `DRAUPNIR-${port}`,
  };
}

function chooseUids(
  taken: readonly NumberRange[],
): Pick<Numbers, 'INSTANCE_UID_BASE' | 'IMAGE_UID_BASE' | 'UID_COUNT'> {
  for (const { first, distance } of UID_POOLS) {
    for (let instance = first; instance < first + distance; instance += UID_COUNT) {
      const image = instance + distance;
      if (isFree(instance, UID_COUNT, taken) && isFree(image, UID_COUNT, taken)) {
        return { INSTANCE_UID_BASE: instance, IMAGE_UID_BASE: image, UID_COUNT };
      }
    }
  }
  throw new Error('other installations on this host use all numeric users that quickstart takes');
}

function choosePort(taken: readonly NumberRange[]): number {
  for (let port = PORTS.from; port + PORT_COUNT - 1 <= PORTS.to; port += PORT_COUNT) {
    if (isFree(port, PORT_COUNT, taken)) return port;
  }
  throw new Error(`other installations on this host use all ports from ${PORTS.from} to ${PORTS.to}`);
}

function isFree(from: number, count: number, taken: readonly NumberRange[]): boolean {
  return !taken.some((range) => intersect(range, { from, to: from + count - 1 }));
}
