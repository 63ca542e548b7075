import { describe, expect, it } from 'vitest';
import type { HostInstallation } from '../../../src/core/host-installation.ts';
import { createLayout } from '../../../src/quickstart/layout.ts';
import { listUsersOfOthers, refuseOverlaps } from '../../../src/quickstart/neighbours.ts';

const describeAt = (dir: string, base: number): HostInstallation => ({
  scripts: `${dir}/scripts`,
  dataPath: `${dir}/data`,
  runPath: `${dir}/run`,
  uploadUser: `${dir.slice(1)}-upload`,
  instanceUids: { from: base, to: base + 99 },
  imageUids: { from: base + 100, to: base + 199 },
  instancePorts: { from: base, to: base + 9 },
  apiPort: undefined,
  chainPrefix: undefined,
});
const layout = createLayout('/a');

describe('a quickstart beside other installations', () => {
  it('goes on when they share nothing, or when it does not exist yet', () => {
    const others = [describeAt('/b', 2000)];
    refuseOverlaps({ own: describeAt('/a', 1000), others, rules: [] }, layout);
    refuseOverlaps({ own: undefined, others, rules: [] }, layout);
  });

  it('is refused when they share something, naming each of them and the way out', () => {
    const others = [describeAt('/b', 1050), describeAt('/c', 5000), describeAt('/d', 1005)];
    expect(() => refuseOverlaps({ own: describeAt('/a', 1000), others, rules: [] }, layout)).toThrow(
      `/a uses the same as other installations on this host, with their scripts in
  /b/scripts: numeric users 1050 to 1099, numeric users 1100 to 1149, numeric users 1150 to 1199
  /d/scripts: numeric users 1005 to 1099, numeric users 1100 to 1104, numeric users 1105 to 1199, ports 1005 to 1009
so that each could stop instances of the other. Nothing was changed.
To give /a numbers of its own, which stops its instances for a moment:
  ${process.execPath} quickstart --renumber --dir /a
`,
    );
  });

  it('knows users of others by their sudo rules, those of the package also after its removal', () => {
    const rules = [
      { user: 'b', scripts: '/b/scripts' },
      { user: 'gone', scripts: '/gone/scripts' },
      { user: 'draupnir', scripts: '/usr/lib/draupnir/scripts' },
    ];
    const host = { others: [describeAt('/b', 1000)], rules };
    expect([...listUsersOfOthers(host, { orphaned: false })].sort()).toEqual(['b', 'b-upload', 'draupnir']);
    expect(listUsersOfOthers(host, { orphaned: true })).toContain('gone');
  });
});
