import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseInspection } from '../../../src/exec/inspection-lines.ts';
import { anyCharacter } from '../../support/any-character.ts';

/** What the script printed on a host with a volume mounted at /draupnir, shortened. */
const LINES = String.raw`uids	2000000000	1000000000	1000000000
mount	btrfs rw,nodev,nosuid,noexec,noatime,subvol=/ /draupnir
space	4096	500	1000
entry	image_snapshots	d	256	2000000003	3
entry	instance_config	d	300	0	7
entry	instance_config	d	301	0	8
entry	instances	d	256	1000000007	7
entry	instances	d	256	1000000008	8
entry	run_instances	f	12	0	7.pid
empty	8
root	5
subvolume	ID 256 gen 9 parent 5 top level 5 path image_snapshots/3
subvolume	ID 257 gen 9 parent 5 top level 5 path instances/7
subvolume	ID 258 gen 9 parent 257 top level 257 path instances/7/made by a user
subvolume	with a line end
subvolume	ID 4000000001 gen 0 parent 257 top level 5 path instances/7/…
readonly	ID 256 gen 9 top level 5 path image_snapshots/3
image	3	no	1
image	4	yes	
process	1 0 0 4000 Ss systemd
process	70 1 1000000007 60 Ss postgres
process	71 70 -1587967295 2 S tmux: server
process	72 70 1000000007 2 Z postgres
cwd	/proc/70/cwd	/draupnir/instances/7
postmaster	7.pid	70
unfiltered	7
busy	instance	9
network	80	2000000002	own	lo	0
network	81	2000000002	host	lo,eth0	2
tcp4	   0: 00000000:1B5F 00000000:0000 0A 00000000:00000000 00:00000000 00000000 1000000007        0 604 1 0000000000000000 100 0 0 10 0
ipv6
tcp6	   1: 00000000000000000000000000000000:1B5F 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 2707000001        0 605 1 0000000000000000 100 0 0 10 0
chain	DRAUPNIR-WHITELIST
iptables	-N DRAUPNIR-WHITELIST
iptables	-A DRAUPNIR-WHITELIST -j DROP
ip6tables	absent
end`.split('\n');

describe('what the inspection prints', () => {
  it('is read into what is on the host', () => {
    expect(parseInspection(LINES)).toEqual({
      uids: { imageBase: 2_000_000_000, instanceBase: 1_000_000_000, count: 1_000_000_000 },
      mount: {
        type: 'btrfs',
        options: ['rw', 'nodev', 'nosuid', 'noexec', 'noatime', 'subvol=/'],
        target: '/draupnir',
      },
      space: { freeBytes: 2_048_000, totalBytes: 4_096_000 },
      subvolumes: [
        { path: 'image_snapshots/3', readOnly: true, nested: false },
        { path: 'instances/7', readOnly: false, nested: false },
        { path: 'instances/7/made by a user', readOnly: false, nested: true, id: 258 },
        // Its number could not be found out.
        { path: 'instances/7/…', readOnly: false, nested: true, id: 0 },
      ],
      entries: [
        { folder: 'image_snapshots', name: '3', ownerUid: 2_000_000_003, subvolume: true, empty: false },
        { folder: 'instance_config', name: '7', ownerUid: 0, subvolume: false, empty: false },
        { folder: 'instance_config', name: '8', ownerUid: 0, subvolume: false, empty: true },
        { folder: 'instances', name: '7', ownerUid: 1_000_000_007, subvolume: true, empty: false },
        { folder: 'instances', name: '8', ownerUid: 1_000_000_008, subvolume: true, empty: false },
        { folder: 'run_instances', name: '7.pid', ownerUid: 0, subvolume: false, empty: false },
      ],
      imageStates: [
        { id: 3, original: false, controlState: 1 },
        { id: 4, original: true, controlState: undefined },
      ],
      processes: [
        { pid: 1, ppid: 0, uid: 0, ageS: 4000, name: 'systemd' },
        { pid: 70, ppid: 1, uid: 1_000_000_007, ageS: 60, name: 'postgres' },
        { pid: 71, ppid: 70, uid: 2_707_000_001, ageS: 2, name: 'tmux: server' },
      ],
      workingIn: new Map([[70, '/draupnir/instances/7']]),
      postmasters: new Map([[7, 70]]),
      unfiltered: new Set([7]),
      networks: [
        { pid: 80, uid: 2_000_000_002, ofHost: false, interfaces: ['lo'], listeners: 0 },
        { pid: 81, uid: 2_000_000_002, ofHost: true, interfaces: ['lo', 'eth0'], listeners: 2 },
      ],
      hasIpv6: true,
      listeners: [
        { family: 4, port: 7007, uid: 1_000_000_007 },
        { family: 6, port: 7007, uid: 2_707_000_001 },
      ],
      whitelistChain: 'DRAUPNIR-WHITELIST',
      firewalls: [
        { family: 4, rules: ['-N DRAUPNIR-WHITELIST', '-A DRAUPNIR-WHITELIST -j DROP'] },
        { family: 6, rules: undefined },
      ],
      busy: { image: new Set(), instance: new Set([9]) },
    });
  });

  it('is refused when it is cut anywhere, since half a look would find a lot missing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LINES.length - 1 }), (length) => {
        expect(() => parseInspection(LINES.slice(0, length))).toThrow('cut short');
      }),
    );
  });

  it('knows nothing of subvolumes that are not below the data directory, even in a circle', () => {
    const path = (id: number, parent: number): string =>
      `subvolume\tID ${id} gen 1 parent ${parent} top level ${parent} path p${id}`;
    const lines = [
      'root\t300',
      path(300, 5),
      path(301, 300),
      path(302, 303),
      path(303, 302),
      path(304, 301),
      'end',
    ];
    expect(parseInspection(lines).subvolumes).toEqual([
      { path: 'p301', readOnly: false, nested: false },
      { path: 'p304', readOnly: false, nested: true, id: 304 },
    ]);
  });

  it('can hold any name of a subvolume without any other record being made up', () => {
    const { subvolumes: before, ...restBefore } = parseInspection(LINES);
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter, maxLength: 30 }), (name) => {
        // The script marks every line, also those that a line end within a name begins.
        const marked = `ID 400 gen 1 parent 257 top level 257 path instances/7/${name}`
          .split(/\n/)
          .map((line) => `subvolume\t${line}`);
        const { subvolumes, ...rest } = parseInspection([...LINES.slice(0, -1), ...marked, 'end']);
        expect(rest).toEqual(restBefore);
        expect(subvolumes.length).toBeLessThanOrEqual(before.length + 1);
      }),
    );
  });
});
