import type { Mutant } from './mutant.ts';

/** Tests that are run for a mutant, all of one project of Vitest. */
export interface Stage {
  project: 'unit' | 'integration' | 'e2e';
  /** Arguments of Vitest that choose the files. */
  selection: readonly string[];
  /** Whether they test the executable, which has to be built before. */
  needsBuild: boolean;
  /** A run that takes longer hangs, which counts as a failure: in milliseconds. */
  timeoutMs: number;
}

const MINUTE_MS = 60_000;

/** The e2e tests of each part of the program; the first that matches a file counts. */
const E2E: readonly (readonly [RegExp, readonly string[]])[] = [
  [
    /finalise-image|^src\/prepare/,
    [
      'anonymisation',
      'finalise-failures',
      'verification',
      'images/',
      'personal-data',
      'hazards',
      'script-signals',
    ],
  ],
  [
    /-image$|lib\/image\.sh/,
    [
      'script-refusals',
      'script-signals',
      'planted-links',
      'uploads',
      'api-images',
      'operations/',
      'anonymisation',
      'images/interrupted',
    ],
  ],
  [/read-credentials/, ['script-refusals', 'takeover', 'isolation-takeover']],
  [/renew-|certificate|credentials/, ['certificates', 'script-signals', 'instances.spec', 'secrets']],
  [
    /firewall|whitelist|addresses|address-store|egress/,
    ['firewall-scripts', 'e2e/firewall.spec', 'isolation-udp'],
  ],
  [
    /sandbox|cgroup|unfiltered/,
    ['isolation.spec', 'isolation-kernel', 'isolation-limits', 'isolation-images', 'isolation-udp'],
  ],
  [/installation|shut-down/, ['hosts', 'operations/', 'doctor']],
  [/adopt|legacy|foreign-directory/, ['planted-links', 'plain-directory', 'takeover']],
  [/inspect|repair|mount-table|btrfs|sudo-rules/, ['doctor', 'operations/', 'faults/disk', 'hosts']],
  [
    /-instance$|lib\/instance\.sh/,
    [
      'script-refusals',
      'script-signals',
      'plain-directory',
      'instances.spec',
      'lifecycle',
      'planted-links',
      'operations/',
      'takeover',
      'faults/instance-faults',
    ],
  ],
  [
    /^scripts/,
    [
      'script-refusals',
      'script-signals',
      'plain-directory',
      'planted-links',
      'instances.spec',
      'uploads',
      'root-boundary',
      'doctor',
    ],
  ],
  [
    /^src\/core\/(?:image|preparation|verification|volume)|^src\/exec\/script-image/,
    ['api-images', 'uploads', 'finalise-failures', 'images/'],
  ],
  [
    /^src\/core/,
    ['api-instances', 'instances.spec', 'lifecycle', 'warm-instances', 'identity', 'server.spec'],
  ],
  [/^src\/auth|session-store/, ['sign-in', 'identity', 'contract/']],
  [/^src\/http/, ['contract/', 'audit', 'hostile-clients', 'sign-in', 'identity']],
  [/^src\/exec/, ['instances.spec', 'lifecycle', 'server.spec', 'operations/']],
  [/record-(?:reader|counts)/, ['doctor', 'metrics']],
  [/^src\/db/, ['contract/', 'api-images', 'takeover', 'faults/metadata-database', 'planted-links']],
  [/^src\/tls/, ['certificates', 'secrets', 'server.spec']],
];

/** The tests that cover a file, those first that are quick. */
export function listStages({ file }: Mutant): Stage[] {
  const isScript = file.startsWith('scripts/');
  const related = isScript ? ['run', 'scripts/'] : ['related', file];
  const [, specs] = E2E.find(([pattern]) => pattern.test(file)) ?? [];
  if (specs === undefined) throw new Error(`no e2e tests are known for ${file}: add them to stages.ts`);
  return [
    { project: 'unit', selection: related, needsBuild: false, timeoutMs: 3 * MINUTE_MS },
    { project: 'integration', selection: related, needsBuild: false, timeoutMs: 4 * MINUTE_MS },
    { project: 'e2e', selection: ['run', ...specs], needsBuild: true, timeoutMs: 12 * MINUTE_MS },
  ];
}
