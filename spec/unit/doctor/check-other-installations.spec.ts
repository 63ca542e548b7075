import { describe, expect, it } from 'vitest';
import type { HostInstallation } from '../../../src/core/host-installation.ts';
import {
  checkOtherInstallations,
  listShared,
  sharesUsers,
} from '../../../src/doctor/check-other-installations.ts';

const describeAt = (dir: string, base: number): HostInstallation => ({
  scripts: `${dir}/scripts`,
  dataPath: `${dir}/data`,
  runPath: `${dir}/run`,
  uploadUser: 'draupnir-upload',
  instanceUids: { from: base, to: base + 99 },
  imageUids: { from: base + 100, to: base + 199 },
  instancePorts: undefined,
  apiPort: undefined,
  chainPrefix: undefined,
});
const OWN = describeAt('/a', 1000);

describe('the check of other installations', () => {
  it('finds nothing on a host of its own, nor beside one that shares nothing', () => {
    expect(checkOtherInstallations([OWN], '/a/scripts')).toEqual({ count: 0, findings: [] });
    const others = [OWN, describeAt('/b', 2000)];
    expect(checkOtherInstallations(others, '/a/scripts')).toEqual({ count: 1, findings: [] });
  });

  it('finds one that shares numeric users, and says that nothing is repaired meanwhile', () => {
    const all = [OWN, describeAt('/b', 1150)];
    expect(checkOtherInstallations(all, '/a/scripts').findings).toEqual([
      {
        invariant: 'I14',
        object: 'installation /b/scripts',
        message: 'uses the same numeric users 1150 to 1199 as /a/scripts',
        hint:
          'give one of the two its own: README, "Two installations on one host"; ' +
          'until then --fix does nothing, since it could stop instances of the other',
      },
    ]);
    expect(listShared(all, '/a/scripts').map(({ overlaps }) => sharesUsers(overlaps))).toEqual([true]);
  });

  it('finds one that shares a chain, which does not keep from repairs', () => {
    const all = [
      { ...OWN, chainPrefix: 'X' },
      { ...describeAt('/b', 2000), chainPrefix: 'X' },
    ];
    expect(checkOtherInstallations(all, '/a/scripts').findings).toMatchObject([
      {
        message: 'uses the same firewall chains X-* as /a/scripts',
        hint: expect.not.stringContaining('--fix') as string,
      },
    ]);
    expect(listShared(all, '/a/scripts').map(({ overlaps }) => sharesUsers(overlaps))).toEqual([false]);
  });

  it('says nothing of an installation that it does not find', () => {
    expect(checkOtherInstallations([describeAt('/b', 1000)], '/a/scripts')).toEqual({
      count: 1,
      findings: [],
    });
  });
});
