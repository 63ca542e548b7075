import type { FaultGroup } from '../../support/faults.ts';

/** What each group of the matrix is about, and the files of `spec/e2e` that are its tests. */
export const GROUPS: Record<FaultGroup, { about: string; files: readonly string[] }> = {
  A: {
    about: 'kill, fail, hang at every step',
    files: [
      'faults/failpoints',
      'faults/failpoints-finalise',
      'lifecycle',
      'images/interrupted-preparations',
    ],
  },
  B: { about: 'disk full, read-only, low', files: ['faults/disk'] },
  C: { about: 'metadata database gone, cut, slow', files: ['faults/metadata-database'] },
  D: { about: 'instances hurt', files: ['faults/instance-faults'] },
  E: { about: 'power lost', files: ['faults/reboot'] },
  F: { about: 'everything at once', files: ['faults/concurrency'] },
  G: { about: 'ports taken', files: ['ports', 'instances'] },
  H: {
    about: 'hostile uploads',
    files: [
      'hazards',
      'refused-uploads',
      'uploads',
      'finalise-failures',
      'images/failing-scripts',
      'verification',
    ],
  },
  I: { about: 'hostile HTTP', files: ['fuzz', 'hostile-clients', 'contract/requests'] },
  J: { about: 'identity and roles', files: ['identity', 'sign-in', 'contract/roles', 'contract/routes'] },
  K: { about: 'firewall', files: ['firewall', 'firewall-scripts', 'doctor-firewall'] },
  L: { about: 'time and certificates', files: ['certificates'] },
  M: { about: 'personal data', files: ['personal-data', 'anonymisation', 'secrets'] },
  N: {
    about: 'isolation',
    files: [
      'isolation',
      'isolation-takeover',
      'isolation-images',
      'isolation-exhaustion',
      'isolation-limits',
      'root-boundary',
      'audit',
    ],
  },
};
