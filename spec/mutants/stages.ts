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
    ['anonymisation', 'finalise-failures', 'verification', 'images/', 'personal-data', 'hazards'],
  ],
  [/-image$|lib\/image\.sh/, ['uploads', 'api-images', 'anonymisation', 'images/interrupted']],
  [/renew-|certificate|credentials/, ['certificates', 'instances.spec', 'secrets']],
  [/firewall|whitelist|addresses/, ['firewall-scripts', 'e2e/firewall.spec']],
  [
    /sandbox|egress|cgroup|unfiltered/,
    ['isolation.spec', 'isolation-kernel', 'isolation-limits', 'isolation-images'],
  ],
  [/adopt|legacy|foreign-directory/, ['takeover', 'plain-directory']],
  [/inspect|repair|mount-table|btrfs|sudo-rules/, ['doctor', 'operations/', 'faults/disk', 'hosts']],
  [
    /-instance$|lib\/instance\.sh/,
    ['instances.spec', 'lifecycle', 'faults/instance-faults', 'planted-links'],
  ],
  [/^scripts/, ['instances.spec', 'uploads', 'script-signals', 'root-boundary', 'planted-links', 'doctor']],
  [
    /^src\/core\/(?:image|preparation|verification|volume)/,
    ['api-images', 'uploads', 'finalise-failures', 'images/'],
  ],
  [
    /^src\/core/,
    ['api-instances', 'instances.spec', 'lifecycle', 'warm-instances', 'identity', 'server.spec'],
  ],
  [/^src\/auth/, ['sign-in', 'identity', 'contract/']],
  [/^src\/http/, ['contract/', 'audit', 'hostile-clients', 'sign-in', 'identity']],
  [/^src\/exec/, ['instances.spec', 'lifecycle', 'server.spec', 'operations/']],
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
