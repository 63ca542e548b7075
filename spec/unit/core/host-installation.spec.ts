import { describe, expect, it } from 'vitest';
import { findOverlaps, type HostInstallation } from '../../../src/core/host-installation.ts';

const ONE: HostInstallation = {
  scripts: '/a/scripts',
  dataPath: '/a/data',
  runPath: '/a/run',
  uploadUser: 'a-upload',
  instanceUids: { from: 1000, to: 1999 },
  imageUids: { from: 5000, to: 5999 },
  instancePorts: { from: 7000, to: 7099 },
  apiPort: 8443,
  chainPrefix: 'A',
};

const OTHER: HostInstallation = {
  scripts: '/b/scripts',
  dataPath: '/b/data',
  runPath: '/b/run',
  uploadUser: 'a-upload',
  instanceUids: { from: 2000, to: 2999 },
  imageUids: { from: 6000, to: 6999 },
  instancePorts: { from: 7100, to: 7199 },
  apiPort: 8444,
  chainPrefix: 'B',
};

const listWhat = (change: Partial<HostInstallation>): string[] =>
  findOverlaps(ONE, { ...OTHER, ...change }).map(({ kind, what }) => `${kind}: ${what}`);

describe('two installations of a host', () => {
  it('share nothing when their ranges touch, and may have an upload user in common', () => {
    expect(listWhat({})).toEqual([]);
  });

  it.each<[string, Partial<HostInstallation>, string[]]>([
    ['users of instances', { instanceUids: { from: 1999, to: 2500 } }, ['users: numeric users 1999']],
    [
      'users of images and of instances',
      { imageUids: { from: 1500, to: 9000 } },
      ['users: numeric users 1500 to 1999', 'users: numeric users 5000 to 5999'],
    ],
    [
      'ports of instances',
      { instancePorts: { from: 6000, to: 9000 } },
      ['ports: ports 7000 to 7099', 'ports: ports 8443'],
    ],
    ['a port of the API among those of instances', { apiPort: 7042 }, ['ports: ports 7042']],
    ['the port of the API', { apiPort: 8443 }, ['ports: ports 8443']],
    ['firewall chains', { chainPrefix: 'A' }, ['chains: firewall chains A-*']],
    [
      'directories',
      { dataPath: '/a/data', runPath: '/a/run' },
      ['paths: DATA_PATH /a/data', 'paths: RUN_PATH /a/run'],
    ],
  ])('share %s', (_, change, expected) => {
    expect(listWhat(change)).toEqual(expected);
  });

  it('share no chains where both use none, and no ports or directories that are not known', () => {
    const unknown = {
      dataPath: '',
      runPath: '',
      instancePorts: undefined,
      apiPort: undefined,
      chainPrefix: undefined,
    };
    expect(findOverlaps({ ...ONE, ...unknown }, { ...OTHER, ...unknown })).toEqual([]);
  });
});
