import { checkLegacyHost, type LegacyHostFacts } from './check-legacy-host.ts';
import type { Checked, Finding } from './finding.ts';
import type { Inspection } from './inspection.ts';

/** What a mount of the data directory must have, so that nothing on it acts (README, "Installing a server"). */
const MOUNT_OPTIONS = ['nodev', 'nosuid', 'noexec'];

/** Room that has to be left unless the configuration says otherwise: 5 % or 10 GiB, whichever is less. */
const MIN_FREE_RATIO = 0.05;
const MIN_FREE_BYTES = 10 * 1024 ** 3;

/** A volume can always allocate a chunk of metadata, two copies of up to 1 GiB, as long as it has more (btrfs(5)). */
const LEAST_UNALLOCATED_BYTES = 2 * 1024 ** 3;
/** Share of the metadata that has to be free where they cannot grow. */
const MIN_METADATA_FREE_RATIO = 0.2;

/** A certificate of the API that ends sooner is a finding, in milliseconds. */
const EXPIRY_NOTICE_MS = 7 * 24 * 3_600_000;

/** What is known of the installation beside records and inspection. */
export interface InstallationFacts extends LegacyHostFacts {
  /** Scripts that sudo does not let the server's user run. */
  readonly scriptsWithoutRule: readonly string[];
  /** Who the server runs as. */
  readonly serverUser: string;
  /** End of the certificate of the API; undefined without HTTPS. */
  readonly apiCertificateEnds: Date | undefined;
  readonly dataPath: string;
  /** Bytes that have to stay free (`min_free_space`); undefined for the default. */
  readonly minFreeBytes: number | undefined;
  /** How the volume is divided, in bytes; undefined where the kernel does not say. */
  readonly allocation:
    | {
        readonly metadataBytes: number;
        readonly metadataFreeBytes: number;
        readonly unallocatedBytes: number;
      }
    | undefined;
}

/** What has to be right around the instances: sudo, the volume, the API's certificate. */
export function checkInstallation(
  facts: InstallationFacts,
  inspection: Inspection | undefined,
  scriptsPath: string,
  now: Date,
): Checked {
  const findings = [
    ...checkSudo(facts, scriptsPath),
    ...checkLegacyHost(facts),
    ...checkApiCertificate(facts, now),
  ];
  if (inspection)
    findings.push(
      ...checkMount(inspection, facts),
      ...checkSpace(inspection, facts),
      ...checkMetadata(inspection, facts),
    );
  return { count: 7, findings };
}

function* checkSudo(facts: InstallationFacts, scriptsPath: string): Generator<Finding> {
  for (const script of facts.scriptsWithoutRule) {
    yield {
      invariant: 'installation',
      object: `script ${script}`,
      ...describeMissingRule(facts, scriptsPath),
    };
  }
}

/** What is wrong with a script that sudo refuses, and what to do about it. */
export function describeMissingRule(
  { serverUser }: Pick<InstallationFacts, 'scriptsWithoutRule' | 'serverUser'>,
  scriptsPath: string,
): Pick<Finding, 'message' | 'hint'> {
  return {
    message: `sudo does not let ${serverUser} run it`,
    hint: `install it executable in ${scriptsPath}, and the rules of sudoers.example there; check with visudo -c`,
  };
}

function* checkApiCertificate(
  { apiCertificateEnds: ends }: InstallationFacts,
  now: Date,
): Generator<Finding> {
  if (!ends || ends.getTime() - now.getTime() > EXPIRY_NOTICE_MS) return;
  yield {
    invariant: 'installation',
    object: 'http.tls_certificate',
    message: `ends on ${ends.toISOString().slice(0, 10)}`,
    hint: 'renew it, then run systemctl reload draupnir',
  };
}

function* checkMount({ mount }: Inspection, { dataPath }: InstallationFacts): Generator<Finding> {
  const object = `mount ${mount.target}`;
  if (mount.type !== 'btrfs') {
    const hint = 'mount the btrfs volume at data_path';
    yield { invariant: 'installation', object, message: `is ${mount.type}, not btrfs`, hint };
    return;
  }
  if (mount.options.includes('ro')) {
    const hint = `look for the reason in dmesg, then: mount -o remount,rw ${mount.target}`;
    yield { invariant: 'installation', object, message: 'is read-only', hint };
  }
  const missing = MOUNT_OPTIONS.filter((option) => !mount.options.includes(option));
  if (missing.length === 0) return;
  const options = missing.join(',');
  const remount = `add it in /etc/fstab, and now: mount -o remount,${options} ${mount.target}`;
  // A directory below may have to let programs run.
  const entry = `${dataPath} ${dataPath} none bind,${options} 0 0`;
  const bind = `mount the data directory by itself, in /etc/fstab: ${entry}`;
  yield {
    invariant: 'installation',
    object,
    message: `lacks ${missing.join(', ')}`,
    hint: mount.target === dataPath ? remount : bind,
  };
}

function* checkSpace({ space, mount }: Inspection, facts: InstallationFacts): Generator<Finding> {
  const least = facts.minFreeBytes ?? Math.min(space.totalBytes * MIN_FREE_RATIO, MIN_FREE_BYTES);
  if (space.freeBytes >= least) return;
  yield {
    invariant: 'installation',
    object: `mount ${mount.target}`,
    message: `has less than ${mib(least)} free`,
    hint: `only ${mib(space.freeBytes)} are left: destroy instances or images, or enlarge the volume`,
  };
}

/** Metadata grow into what is not allocated; without that, only by what a balance takes from half empty chunks of data. */
function* checkMetadata({ mount }: Inspection, { allocation }: InstallationFacts): Generator<Finding> {
  if (!allocation || allocation.unallocatedBytes >= LEAST_UNALLOCATED_BYTES) return;
  const { metadataBytes, metadataFreeBytes } = allocation;
  if (metadataFreeBytes >= metadataBytes * MIN_METADATA_FREE_RATIO) return;
  yield {
    invariant: 'installation',
    object: `mount ${mount.target}`,
    message: `has ${mib(metadataFreeBytes)} left for metadata, and no unallocated space`,
    hint: `run as root: btrfs balance start -dusage=50 ${mount.target}`,
  };
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`;
}
