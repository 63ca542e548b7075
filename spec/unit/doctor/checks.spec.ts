import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkInstallation } from '../../../src/doctor/check-installation.ts';
import { API_PORT, Host, NOW, RANGE } from './host.ts';

const IMAGE_STATES = ['pending', 'finalising', 'ready', 'failed', 'creating'];
const INSTANCE_STATES = ['creating', 'ready', 'stopped'];

/** One of everything, in order. */
function createHost(): Host {
  const host = new Host();
  for (const [index, status] of IMAGE_STATES.entries()) host.addImage(index + 1, status);
  for (const [index, status] of INSTANCE_STATES.entries()) host.addInstance(index + 1, status);
  return host;
}

const READY_IMAGE = 3;
const READY = 2;
const STOPPED = 3;
const UID = 1_000_000_000;
const IMAGE_UID = 2_000_000_000;

/** A process of the owner of an upload that works in there. */
function addRawPostgres({ inspection }: Host, id: number, name: string): void {
  const entry = inspection.entries.find((each) => each.folder === 'image_uploads' && each.name === `${id}`);
  if (!entry) throw new Error('there is no such upload');
  Object.assign(entry, { ownerUid: 104 });
  inspection.processes.push({ pid: 777, ppid: 1, uid: 104, ageS: 60, name });
  inspection.workingIn = new Map([[777, `/draupnir/image_uploads/${id}`]]);
}

function remove<T>(list: T[], isMeant: (item: T) => boolean): void {
  const left = list.filter((item) => !isMeant(item));
  if (left.length === list.length) throw new Error('there is nothing to remove');
  list.splice(0, list.length, ...left);
}

describe('the checks of doctor', () => {
  it('find nothing where everything agrees, whatever states there are', () => {
    const host = fc.record({
      images: fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 500 }), fc.constantFrom(...IMAGE_STATES)), {
        selector: ([id]) => id,
      }),
      instances: fc.uniqueArray(
        fc.tuple(fc.integer({ min: 1, max: 900 }), fc.constantFrom(...INSTANCE_STATES)),
        {
          selector: ([id]) => id,
        },
      ),
    });
    fc.assert(
      fc.property(host, ({ images, instances }) => {
        const made = new Host();
        for (const [id, status] of images) made.addImage(id, status);
        for (const [id, status] of instances) made.addInstance(id, status);
        expect(made.list()).toEqual([]);
      }),
    );
  });

  it('say nothing of what comes or goes while they look', () => {
    fc.assert(
      fc.property(fc.constantFrom('image', 'instance'), fc.boolean(), (kind, comes) => {
        const host = createHost();
        const list = kind === 'image' ? host.records.images : host.records.instances;
        const rest = list.filter(({ id }) => id !== 2);
        const without = { ...host.records, [kind === 'image' ? 'images' : 'instances']: rest };
        if (comes) Object.assign(host, { records: without, after: { ...host.records } });
        else host.after = without;
        // All of it on the disk, or nothing of it.
        expect(host.list()).toEqual([]);
        host.inspection.subvolumes = host.inspection.subvolumes.filter(({ path }) => !path.endsWith('/2'));
        expect(host.list().filter((line) => line.includes(` ${kind} 2:`))).toEqual([]);
      }),
    );
  });

  it('find every subvolume that is too many or missing, and nothing else', () => {
    fc.assert(
      fc.property(fc.constantFrom(...createHost().inspection.subvolumes.map(({ path }) => path)), (path) => {
        const missing = createHost();
        remove(missing.inspection.subvolumes, (each) => each.path === path);
        const [folder = '', id = ''] = path.split('/');
        const moving = ['image_uploads/2', 'image_work/2', 'image_uploads/5', 'instances/1'].includes(path);
        const lines = missing.list().filter((line) => line.startsWith('I2 '));
        expect(lines).toHaveLength(moving ? 0 : 1);
        const object = `${folder === 'instances' ? 'instance' : 'image'} ${id}`;
        if (!moving) expect(lines[0]).toBe(`I2 ${object}: subvolume ${path} is missing`);

        const orphaned = createHost();
        orphaned.inspection.subvolumes.push({ path: `${folder}/77`, readOnly: false, nested: false });
        expect(orphaned.list()).toHaveLength(1);
        expect(orphaned.list()[0]).toMatch(/^I2 (image|instance) 77: .*\/77/);
      }),
    );
  });

  it('find the same while the server tries to start an instance again and again', () => {
    const [stopped, failed] = (['stopped', 'failed'] as const).map((status) => {
      const host = createHost();
      remove(host.inspection.subvolumes, ({ path }) => path === `instances/${STOPPED}`);
      const record = host.records.instances.find(({ id }) => id === STOPPED);
      Object.assign(record ?? {}, { status });
      return host.list().filter((line) => line.startsWith('I2 '));
    });
    expect(stopped).toEqual([`I2 instance ${STOPPED}: subvolume instances/${STOPPED} is missing`]);
    expect(failed).toEqual(stopped);
  });

  /** What is changed, and what is found. */
  const cases: [string, (host: Host) => unknown, string[]][] = [
    [
      'a nested subvolume with a name that a shell would read',
      ({ inspection }) =>
        inspection.subvolumes.push({
          path: `instances/${READY}/$(reboot)\nx`,
          readOnly: false,
          nested: true,
        }),
      [`I2 subvolume 'instances/${READY}/$'\\('reboot)\nx': lies inside another subvolume`],
    ],
    [
      'a subvolume somewhere else',
      ({ inspection }) => inspection.subvolumes.push({ path: 'backup', readOnly: false, nested: false }),
      ['I2 subvolume backup: is unknown'],
    ],
    [
      'a clone without a preparation',
      ({ inspection }) =>
        inspection.subvolumes.push({ path: 'image_work/4', readOnly: false, nested: false }),
      ['I2 image 4: an ended preparation has left its clone image_work/4'],
    ],
    [
      'an instance that does not answer by one family',
      (host) => {
        host.probes = [
          {
            id: READY,
            answers: [
              { host: '127.0.0.1', kind: 'itself' },
              { host: '::1', kind: 'rejected', code: '28000' },
            ],
            expiresAt: undefined,
            credentials: 'open',
          },
        ];
      },
      [`I1 instance ${READY}: does not answer on [::1]:7002: its own client is rejected (28000)`],
    ],
    [
      'certificates that end soon',
      (host) => {
        const [probe] = host.probes;
        if (probe) host.probes = [{ ...probe, expiresAt: new Date('2026-11-24T00:00:00Z') }];
      },
      [`installation instance ${READY}: its certificates end on 2026-11-24`],
    ],
    [
      'another key',
      (host) => {
        host.probes = [{ id: READY, answers: [], expiresAt: undefined, credentials: 'sealed otherwise' }];
      },
      [`installation instance ${READY}: encryption_key_file does not open its credentials`],
    ],
    [
      'a postmaster that is gone',
      ({ inspection }) => remove(inspection.processes, ({ pid }) => pid === 10_000 + 10 * READY),
      [`I3 instance ${READY}: is ready, but its postmaster does not run`],
    ],
    [
      'an instance that an older version has started',
      ({ inspection }) => Object.assign(inspection, { unfiltered: new Set([READY, STOPPED]) }),
      [`I3 instance ${READY}: runs without the filter of system calls: an older version has started it`],
    ],
    [
      'a process beside the postmaster',
      (host) => host.addProcess(UID + READY, 50_000, 1, 'nc'),
      [`I3 instance ${READY}: a process (nc) that its Postgres did not start`],
    ],
    [
      'grandchildren of the postmaster, which are its own',
      (host) => host.addProcess(UID + READY, 50_000, 10_001 + 10 * READY, 'sh'),
      [],
    ],
    [
      'a stopped instance that runs',
      (host) => host.addProcess(UID + STOPPED, 50_000, 1),
      [`I3 instance ${STOPPED}: a process (postgres) of its uid, though it should not run`],
    ],
    [
      'a process of an instance without a record',
      (host) => host.addProcess(UID + 77, 50_000, 1),
      ['I3 instance 77: a process (postgres) of its uid, though it has no record'],
    ],
    [
      'a process of an image that is not prepared',
      (host) => host.addProcess(IMAGE_UID + READY_IMAGE, 50_000, 1),
      [`I3 image ${READY_IMAGE}: a process (postgres) of its uid, though it is not being prepared`],
    ],
    [
      'a uid just outside of the ranges',
      (host) => {
        host.addProcess(UID, 50_000, 1);
        host.addProcess(IMAGE_UID + 1_000_000_000, 50_001, 1);
      },
      [],
    ],
    [
      'a stranger on a port of the range',
      ({ inspection }) => inspection.listeners.push({ family: 4, port: 7500, uid: 33 }),
      ['I4 port 7500: uid 33 listens on it, IPv4, and it is the port of no instance that runs'],
    ],
    [
      'strangers beside the range',
      ({ inspection }) =>
        inspection.listeners.push({ family: 4, port: 6999, uid: 33 }, { family: 6, port: 8000, uid: 33 }),
      [],
    ],
    [
      'an instance that has failed',
      (host) => host.addInstance(9, 'failed'),
      ['I3 instance 9: has failed: its Postgres cannot be started'],
    ],
    [
      'the API on a port of the range',
      ({ inspection }) => inspection.listeners.push({ family: 4, port: API_PORT, uid: 101 }),
      [],
    ],
    [
      'two on one port',
      ({ inspection }) => inspection.listeners.push({ family: 4, port: 7000 + READY, uid: 33 }),
      [`I4 port 7002: uid 33 listens on the port of instance ${READY}, IPv4`],
    ],
    [
      'an instance on another port, even outside of the range',
      ({ inspection }) => inspection.listeners.push({ family: 4, port: 22_000, uid: UID + READY }),
      [`I4 port 22000: instance ${READY} listens on it, IPv4, and it is the port of no instance that runs`],
    ],
    [
      'an instance that listens by one family only',
      ({ inspection }) =>
        remove(inspection.listeners, ({ family, port }) => family === 6 && port === 7000 + READY),
      [`I4 instance ${READY}: does not listen on port 7002, IPv6`],
    ],
    [
      'an image that is writable',
      ({ inspection }) => {
        for (const each of inspection.subvolumes)
          if (each.path.startsWith('image_snapshots')) each.readOnly = false;
      },
      [`I6 image ${READY_IMAGE}: its snapshot is writable`],
    ],
    [
      'an image of a Postgres that was running',
      ({ inspection }) => {
        inspection.imageStates = [{ id: READY_IMAGE, original: false, controlState: 6 }];
      },
      [`I6 image ${READY_IMAGE}: its Postgres was not shut down cleanly (state 6 in pg_control)`],
    ],
    [
      'an image without pg_control',
      ({ inspection }) => {
        inspection.imageStates = [{ id: READY_IMAGE, original: false, controlState: undefined }];
      },
      [`I6 image ${READY_IMAGE}: its pg_control cannot be read`],
    ],
    [
      'a failed image whose preparation reached the snapshot',
      (host) => {
        remove(host.inspection.subvolumes, ({ path }) => path === 'image_uploads/4');
        host.inspection.subvolumes.push({ path: 'image_snapshots/4', readOnly: true, nested: false });
      },
      [],
    ],
    [
      'an image that becomes ready while it is looked at',
      (host) => {
        const pending = host.records.images.map((each) =>
          each.id === READY_IMAGE ? { ...each, status: 'pending' } : each,
        );
        host.after = { ...host.records, images: pending };
      },
      [],
    ],
    [
      'a stopped instance that was asked, and is not there',
      (host) =>
        host.probes.push({
          id: STOPPED,
          answers: [{ host: '::1', kind: 'refused' }],
          expiresAt: undefined,
          credentials: 'open',
        }),
      [],
    ],
    [
      'an instance whose data somebody else owns, which does not make it one of Draupnir 5.3',
      ({ inspection }) => {
        inspection.entries = inspection.entries.map((entry) =>
          entry.folder === 'instances' && entry.name === `${READY}` ? { ...entry, ownerUid: 33 } : entry,
        );
      },
      [],
    ],
    [
      'an instance without configuration, whose data is still that of its image and not of Draupnir 5.3',
      (host) => {
        const { inspection } = host;
        inspection.entries = inspection.entries
          .filter(({ folder, name }) => folder !== 'instance_config' || name !== `${READY}`)
          .map((entry) =>
            entry.folder === 'instances' && entry.name === `${READY}`
              ? { ...entry, ownerUid: IMAGE_UID + READY_IMAGE }
              : entry,
          );
      },
      [`leftovers instance ${READY}: configuration instance_config/${READY} is missing`],
    ],
    [
      'an image of Draupnir 5.3, writable and with its upload',
      ({ inspection }) => {
        inspection.imageStates = [{ id: READY_IMAGE, original: true, controlState: 1 }];
        inspection.subvolumes.push({ path: `image_uploads/${READY_IMAGE}`, readOnly: false, nested: false });
        for (const each of inspection.subvolumes) each.readOnly = false;
      },
      [],
    ],
    ['an instance of Draupnir 5.3 that runs', (host) => host.makeAdopted(READY, 999), []],
    [
      'an instance of Draupnir 5.3 that has stopped',
      (host) => {
        host.makeAdopted(READY, 999);
        host.inspection.processes = host.inspection.processes.filter(({ uid }) => uid !== 999);
        host.inspection.listeners = host.inspection.listeners.filter(({ uid }) => uid !== 999);
      },
      [`I3 instance ${READY}: is ready, but has no process`],
    ],
    [
      'an instance of Draupnir 5.3 whose port another one has',
      (host) => {
        host.makeAdopted(READY, 999);
        host.addInstance(9, 'failed');
        host.makeAdopted(9, 999);
        for (const record of host.records.instances) {
          if (record.id === 9) Object.assign(record, { port: RANGE.min + READY, portTaken: true });
        }
        // Its owner's address must not reach the other instance.
        const rules = host.inspection.firewalls[0]?.rules as string[];
        remove(rules, (rule) => rule.includes('user: u9@example.com'));
      },
      [`I4 instance 9: its port ${RANGE.min + READY} belongs to instance ${READY}`],
    ],
    [
      'an instance of Draupnir 5.3 whose port is taken before the server has found out by which',
      (host) => {
        host.makeAdopted(READY, 999);
        host.addInstance(9, 'stopped');
        host.makeAdopted(9, 999);
        for (const record of host.records.instances) {
          if (record.id === 9) Object.assign(record, { status: 'ready', port: 1, portTaken: true });
        }
        const rules = host.inspection.firewalls[0]?.rules as string[];
        remove(rules, (rule) => rule.includes('user: u9@example.com'));
      },
      ['I4 instance 9: its port 1 belongs to another instance'],
    ],
    [
      'a Postgres of Draupnir 5.3 on the upload of an image',
      (host) => addRawPostgres(host, 1, 'postgres'),
      ['I7 image 1: a Postgres of Draupnir 5.3 runs on its upload, which is not anonymised'],
    ],
    ["a shell in an upload's directory", (host) => addRawPostgres(host, 1, 'bash'), []],
    [
      'a Postgres on an upload under preparation',
      (host) => {
        addRawPostgres(host, 1, 'postgres');
        host.markBusy('image', 1);
      },
      [],
    ],
    [
      'a preparation with a way out',
      ({ inspection }) => {
        inspection.networks = [
          { pid: 9002, uid: IMAGE_UID + 2, ofHost: false, interfaces: ['lo', 'eth0'], listeners: 0 },
        ];
      },
      ['I7 image 2: a process of its uid has a way out (eth0)'],
    ],
    [
      'a preparation that listens',
      ({ inspection }) => {
        inspection.networks = [
          { pid: 9002, uid: IMAGE_UID + 2, ofHost: false, interfaces: ['lo'], listeners: 1 },
        ];
        inspection.listeners.push({ family: 4, port: 5432, uid: IMAGE_UID + 2 });
      },
      [
        'I7 image 2: a process of its uid listens on TCP',
        'I7 image 2: a process of its uid listens on port 5432 of the host',
      ],
    ],
    [
      'a creation nobody goes on with',
      ({ inspection }) => {
        inspection.busy = { ...inspection.busy, instance: new Set() };
      },
      ['records instance 1: is creating, and nobody is at work on it'],
    ],
    [
      'a preparation that waits for its turn',
      ({ inspection, records }) => {
        inspection.busy = { ...inspection.busy, image: new Set([5]) };
        for (const record of records.images) record.ageMs = 60_000;
      },
      [],
    ],
    [
      'a young record between two steps',
      ({ inspection, records }) => {
        inspection.busy = { ...inspection.busy, instance: new Set() };
        for (const record of records.instances) record.ageMs = 40_000;
      },
      [],
    ],
    [
      'run files and configuration of nobody',
      ({ inspection }) =>
        inspection.entries.push(
          { folder: 'run_instances', name: '77', ownerUid: 0, subvolume: false, empty: false },
          { folder: 'run_images', name: '4', ownerUid: 0, subvolume: false, empty: false },
          { folder: 'instance_config', name: '78', ownerUid: 0, subvolume: false, empty: false },
          { folder: 'run_instances', name: 'core', ownerUid: 0, subvolume: false, empty: false },
        ),
      [
        'leftovers instance 77: run file 77 is left',
        'leftovers image 4: run file 4 is left',
        'leftovers instance 78: configuration instance_config/78 has no record',
        'leftovers run file core: is not of any instance',
      ],
    ],
    [
      'an instance without configuration',
      ({ inspection }) =>
        remove(
          inspection.entries,
          ({ folder, name }) => folder === 'instance_config' && name === `${STOPPED}`,
        ),
      [`leftovers instance ${STOPPED}: configuration instance_config/${STOPPED} is missing`],
    ],
  ];

  it.each(cases)('of %s', (_what, change, expected) => {
    const host = createHost();
    change(host);
    expect(host.list()).toEqual(expected);
    for (const { hint } of host.check()) expect(hint).not.toBe('');
  });

  it('offer no repair for what holds data', () => {
    const host = createHost();
    host.inspection.subvolumes.push({ path: 'instances/77', readOnly: false, nested: false });
    host.inspection.entries.push({
      folder: 'run_instances',
      name: '77',
      ownerUid: 0,
      subvolume: false,
      empty: false,
    });
    host.addProcess(UID + 77, 50_000, 1);
    expect(host.check()).toHaveLength(3);
    for (const { repair } of host.check()) expect(repair).toBeUndefined();
  });
});

describe('the check of the firewall', () => {
  const rule = `-A DRAUPNIR-WHITELIST -s 192.0.2.${READY}/32 -p tcp -m state --state NEW -m tcp --dport 7002 -m comment --comment "user: u${READY}@example.com" -j ACCEPT`;
  const rulesOf = (host: Host): string[] => host.inspection.firewalls[0]?.rules as string[];

  it.each<[string, (rules: string[]) => unknown, string]>([
    [
      'a flushed chain',
      (rules) => rules.splice(3),
      'does not begin or end with the rules that refuse everybody else',
    ],
    ['a missing rule', (rules) => remove(rules, (each) => each === rule), `lacks a rule: ${rule}`],
    ['a doubled rule', (rules) => rules.splice(5, 0, rule), `has a rule that no record asks for: ${rule}`],
    [
      'a foreign rule',
      (rules) => rules.splice(5, 0, '-A DRAUPNIR-WHITELIST -j ACCEPT'),
      'has a rule that no record asks for: -A DRAUPNIR-WHITELIST -j ACCEPT',
    ],
    [
      'a rule before it that lets everybody in',
      (rules) => rules.splice(1, 0, '-A INPUT -j ACCEPT'),
      'is not called by the first rule of INPUT',
    ],
  ])('tells %s', (_what, change, message) => {
    const host = createHost();
    change(rulesOf(host));
    expect(host.list()[0]).toBe(`I5 chain DRAUPNIR-WHITELIST, IPv4: ${message}`);
  });

  it('lets hooks of other installations stand before its own, for other ports alone', () => {
    const host = createHost();
    rulesOf(host).splice(1, 0, '-A INPUT -p tcp -m tcp --dport 16432:16631 -j DRAUPNIR-16432-WHITELIST');
    expect(host.list()).toEqual([]);
    rulesOf(host).splice(1, 0, '-A INPUT -p tcp -m tcp --dport 7999:8431 -j OTHER');
    expect(host.list()).toEqual([
      'I5 chain DRAUPNIR-WHITELIST, IPv4: is not called by the first rule of INPUT',
    ]);
  });

  it('goes by the chain that host.conf names', () => {
    const host = createHost();
    host.inspection.whitelistChain = 'MINE-WHITELIST';
    expect(host.list()[0]).toBe('I5 chain MINE-WHITELIST, IPv4: is not called by the first rule of INPUT');
    for (const { rules } of host.inspection.firewalls)
      rules?.forEach((each, at) => ((rules as string[])[at] = each.replace('DRAUPNIR-', 'MINE-')));
    expect(host.list()).toEqual([]);
  });

  it('tells a missing chain', () => {
    const host = createHost();
    host.inspection.firewalls.pop();
    expect(host.list()).toEqual(['I5 chain DRAUPNIR-WHITELIST, IPv6: does not exist']);
  });

  it('reads mapped addresses and odd owners as the server writes them', () => {
    const host = createHost();
    const rules = rulesOf(host);
    remove(rules, (each) => each === rule);
    for (const record of host.records.instances) if (record.id === READY) record.userEmail = 'a "b"@x';
    for (const each of host.records.addresses)
      if (each.instanceId === READY) each.address = '::ffff:192.0.2.9';
    rules.splice(5, 0, rule.replace('192.0.2.2', '192.0.2.9').replace(`u${READY}@example.com`, 'a__b_@x'));
    expect(host.list()).toEqual([]);
  });
});

describe('the check of the installation', () => {
  const facts = {
    scriptsWithoutRule: [],
    serverUser: 'draupnir',
    apiCertificateEnds: undefined,
    minFreeBytes: undefined,
    allocation: undefined,
    dataPath: '/draupnir',
    legacyRules: [],
    shadow: undefined,
  };
  /** MiB that are free for metadata of 1 GiB, and not allocated. */
  const divide = (free: number, unallocated: number): object => ({
    allocation: {
      metadataBytes: 2 ** 30,
      metadataFreeBytes: free * 2 ** 20,
      unallocatedBytes: unallocated * 2 ** 20,
    },
  });
  const list = (host: Host, changed: object = {}): string[] =>
    checkInstallation({ ...facts, ...changed }, host.inspection, '/scripts', NOW).findings.map(
      ({ object, message }) => `${object}: ${message}`,
    );

  it('finds nothing where all is right', () => expect(list(new Host())).toEqual([]));

  it.each([
    ['they can grow', 10, 2048],
    ['a fifth of them is free', 205, 0],
  ])('finds nothing in the metadata of the volume when %s', (_when, free, unallocated) => {
    expect(list(new Host(), divide(free, unallocated))).toEqual([]);
  });

  it('advises to change the options of no mount that holds more than the data', () => {
    const find = (target: string): string => {
      const mount = { type: 'btrfs', options: ['rw', 'nodev', 'nosuid'], target };
      const { findings } = checkInstallation(facts, { ...new Host().inspection, mount }, '/scripts', NOW);
      return findings.map(({ hint }) => hint).join();
    };
    expect(find('/draupnir')).toContain('mount -o remount,noexec /draupnir');
    expect(find('/')).toContain('/draupnir /draupnir none bind,noexec 0 0');
    expect(find('/')).not.toContain('remount');
  });

  it.each<[string, Partial<Host['inspection']>, object, string]>([
    [
      'metadata that are nearly full and cannot grow',
      {},
      divide(204, 2047),
      'mount /draupnir: has 204 MiB left for metadata, and no unallocated space',
    ],
    [
      'another file system',
      { mount: { type: 'ext4', options: ['rw'], target: '/' } },
      {},
      'mount /: is ext4, not btrfs',
    ],
    [
      'a mount that lets programs run',
      { mount: { type: 'btrfs', options: ['rw', 'nodev', 'nosuid'], target: '/draupnir' } },
      {},
      'mount /draupnir: lacks noexec',
    ],
    [
      'a program of 5.3 that hides this one',
      {},
      { shadow: { program: '/usr/bin/draupnir', by: '/usr/local/bin/draupnir' } },
      'program /usr/local/bin/draupnir: hides /usr/bin/draupnir: shells find it first',
    ],
    [
      'a sudo rule of 5.3',
      {},
      { legacyRules: ['/usr/sbin/iptables'] },
      "program /usr/sbin/iptables: sudo lets the server's user run it as root with any arguments",
    ],
    [
      'a read-only mount',
      { mount: { type: 'btrfs', options: ['ro', 'nodev', 'nosuid', 'noexec'], target: '/draupnir' } },
      {},
      'mount /draupnir: is read-only',
    ],
    [
      'too little room',
      { space: { freeBytes: 2 ** 30, totalBytes: 2 ** 40 } },
      {},
      'mount /draupnir: has less than 10240 MiB free',
    ],
    [
      'less room than is asked for',
      {},
      { minFreeBytes: 2 ** 40 + 1 },
      'mount /draupnir: has less than 1048577 MiB free',
    ],
    [
      'a missing sudo rule',
      {},
      { scriptsWithoutRule: ['draupnir-inspect'] },
      'script draupnir-inspect: sudo does not let draupnir run it',
    ],
    [
      'a certificate that ends soon',
      {},
      { apiCertificateEnds: new Date('2026-11-25T00:00:00Z') },
      'http.tls_certificate: ends on 2026-11-25',
    ],
  ])('finds %s', (_what, inspection, changed, expected) => {
    const host = new Host();
    Object.assign(host.inspection, inspection);
    expect(list(host, changed)).toEqual([expected]);
  });
});
