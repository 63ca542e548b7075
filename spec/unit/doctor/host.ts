import { checkAnswers } from '../../../src/doctor/check-answers.ts';
import { checkFirewall } from '../../../src/doctor/check-firewall.ts';
import { checkNetworks, checkReadyImages } from '../../../src/doctor/check-images.ts';
import { checkLeftovers } from '../../../src/doctor/check-leftovers.ts';
import { checkPorts } from '../../../src/doctor/check-ports.ts';
import { checkProcesses } from '../../../src/doctor/check-processes.ts';
import { checkRecords } from '../../../src/doctor/check-records.ts';
import { checkSubvolumes } from '../../../src/doctor/check-subvolumes.ts';
import type { Probe } from '../../../src/doctor/answer.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import type { Inspection } from '../../../src/doctor/inspection.ts';
import type { Records } from '../../../src/doctor/records.ts';
import { createView } from '../../../src/doctor/view.ts';

type Mutable<T> = {
  -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? Mutable<E>[] : T[K];
};

export const NOW = new Date('2026-11-22T04:00:00Z');
export const RANGE = { min: 7000, max: 8000 };
export const API_PORT = 7900;
const IMAGE_BASE = 2_000_000_000;
const INSTANCE_BASE = 1_000_000_000;

/** A host on which everything agrees, until a test changes one side of it. */
export class Host {
  readonly records: Mutable<Records> = { images: [], instances: [], addresses: [], serverRuns: true };
  /** What the records say after the look; the same unless a test says otherwise. */
  after: Records = this.records;
  readonly inspection: Mutable<Inspection> = {
    uids: { imageBase: IMAGE_BASE, instanceBase: INSTANCE_BASE, count: 1_000_000_000 },
    mount: { type: 'btrfs', options: ['rw', 'nodev', 'nosuid', 'noexec'], target: '/draupnir' },
    space: { freeBytes: 2 ** 40, totalBytes: 2 ** 41 },
    subvolumes: [],
    entries: [],
    imageStates: [],
    processes: [{ pid: 1, ppid: 0, uid: 0, ageS: 100, name: 'systemd' }],
    workingIn: new Map(),
    postmasters: new Map(),
    unfiltered: new Set(),
    networks: [],
    hasIpv6: true,
    listeners: [{ family: 4, port: 22, uid: 0 }],
    whitelistChain: 'DRAUPNIR-WHITELIST',
    firewalls: [],
    busy: { image: new Set(), instance: new Set() },
  };
  probes: Probe[] = [];

  constructor() {
    for (const family of [4, 6] as const) {
      this.inspection.firewalls.push({ family, rules: [...HEAD, ...TAIL] });
    }
  }

  addImage(id: number, status: string): this {
    this.records.images.push({ id, status, ageMs: 3_600_000 });
    if (status === 'ready') this.addSnapshot(id);
    else if (status !== 'destroying') this.#addSubvolume('image_uploads', id, false);
    if (status === 'creating') this.markBusy('image', id);
    if (status === 'finalising') {
      this.#addSubvolume('image_work', id, false);
      this.inspection.entries.push({
        folder: 'run_images',
        name: `${id}`,
        ownerUid: 0,
        subvolume: false,
        empty: false,
      });
      this.addProcess(IMAGE_BASE + id, 9000 + id, 1);
      this.inspection.networks.push({
        pid: 9000 + id,
        uid: IMAGE_BASE + id,
        ofHost: false,
        interfaces: ['lo'],
        listeners: 0,
      });
      this.markBusy('image', id);
    }
    return this;
  }

  addSnapshot(id: number): void {
    this.#addSubvolume('image_snapshots', id, true);
    this.inspection.imageStates.push({ id, original: false, controlState: 1 });
  }

  addInstance(id: number, status: string): this {
    const port = RANGE.min + id;
    const record = { id, imageId: 1, port, userEmail: `u${id}@example.com`, status, ageMs: 3_600_000 };
    this.records.instances.push({ ...record, credentials: Buffer.from(`${id}`) });
    this.records.addresses.push({ instanceId: id, address: `192.0.2.${id % 250}` });
    if (status !== 'destroying') this.addRule(id);
    this.#addSubvolume('instances', id, false);
    this.inspection.entries.push({
      folder: 'instance_config',
      name: `${id}`,
      ownerUid: 0,
      subvolume: false,
      empty: false,
    });
    if (status === 'creating') this.markBusy('instance', id);
    if (status === 'ready') this.start(id);
    return this;
  }

  /** Its Postgres: a postmaster with a child, listening by both families, and answering. */
  start(id: number): void {
    const [uid, pid] = [INSTANCE_BASE + id, 10_000 + 10 * id];
    this.addProcess(uid, pid, 1);
    this.addProcess(uid, pid + 1, pid);
    this.inspection.postmasters = new Map([...this.inspection.postmasters, [id, pid]]);
    for (const name of [`${id}`, `${id}.pid`, `${id}.mounts`]) {
      this.inspection.entries.push({
        folder: 'run_instances',
        name,
        ownerUid: 0,
        subvolume: false,
        empty: false,
      });
    }
    this.inspection.listeners.push(
      { family: 4, port: RANGE.min + id, uid },
      { family: 6, port: RANGE.min + id, uid },
    );
    this.probes.push({
      id,
      answers: [
        { host: '127.0.0.1', kind: 'itself' },
        { host: '::1', kind: 'itself' },
      ],
      expiresAt: new Date('2026-12-22T04:00:00Z'),
      credentials: 'open',
    });
  }

  addProcess(uid: number, pid: number, ppid: number, name = 'postgres'): void {
    this.inspection.processes.push({ pid, ppid, uid, ageS: 60, name });
  }

  addRule(id: number): void {
    const rule = `${formatRule(id)} --comment "user: u${id}@example.com" -j ACCEPT`;
    const rules = this.inspection.firewalls[0]?.rules as string[];
    rules.splice(-2, 0, rule);
  }

  markBusy(kind: 'image' | 'instance', id: number): void {
    this.inspection.busy = {
      ...this.inspection.busy,
      [kind]: new Set([...this.inspection.busy[kind], id]),
    };
  }

  /** Turns an instance into one of Draupnir 5.3: configuration in its data, a uid that several share, IPv4 alone. */
  makeAdopted(id: number, uid: number): void {
    const { inspection } = this;
    inspection.entries = inspection.entries
      .filter(({ folder, name }) => folder !== 'instance_config' || name !== `${id}`)
      .filter(({ folder, name }) => folder !== 'run_instances' || Number.parseInt(name, 10) !== id)
      .map((entry) =>
        entry.folder === 'instances' && entry.name === `${id}` ? { ...entry, ownerUid: uid } : entry,
      );
    const own = INSTANCE_BASE + id;
    for (const process of inspection.processes) {
      if (process.uid !== own) continue;
      process.uid = uid;
      inspection.workingIn = new Map([...inspection.workingIn, [process.pid, `/draupnir/instances/${id}`]]);
    }
    for (const listener of inspection.listeners) if (listener.uid === own) listener.uid = uid;
    inspection.postmasters = new Map([...inspection.postmasters].filter(([each]) => each !== id));
    for (const record of this.records.instances) if (record.id === id) record.credentials = null;
  }

  view() {
    const paths = { dataPath: '/draupnir', scriptsPath: '/scripts' };
    return createView(this.records, this.inspection, this.after, paths);
  }

  /** All findings, a line each. */
  list(): string[] {
    return this.check().map(({ invariant, object, message }) => `${invariant} ${object}: ${message}`);
  }

  check(): Finding[] {
    const view = this.view();
    return [
      checkAnswers(view, this.probes, NOW),
      checkSubvolumes(view),
      checkProcesses(view),
      checkPorts(view, RANGE, [API_PORT]),
      checkFirewall(view, this.after.addresses, RANGE),
      checkReadyImages(view),
      checkNetworks(view),
      checkRecords(this.after, this.inspection, { finalisingMs: 100_000, otherMs: 50_000 }),
      checkLeftovers(view),
    ].flatMap(({ findings }) => findings);
  }

  #addSubvolume(
    folder: 'image_uploads' | 'image_snapshots' | 'image_work' | 'instances',
    id: number,
    readOnly: boolean,
  ): void {
    this.inspection.subvolumes.push({ path: `${folder}/${id}`, readOnly, nested: false });
    const ownerUid = (folder === 'instances' ? INSTANCE_BASE : IMAGE_BASE) + id;
    this.inspection.entries.push({ folder, name: `${id}`, ownerUid, subvolume: true, empty: false });
  }
}

const PORTS = `-p tcp -m tcp --dport ${RANGE.min}:${RANGE.max - 1}`;
const CHAIN = '-A DRAUPNIR-WHITELIST';
const HEAD = [
  '-P INPUT ACCEPT',
  `-A INPUT ${PORTS} -j DRAUPNIR-WHITELIST`,
  '-N DRAUPNIR-WHITELIST',
  `${CHAIN} -i lo ${PORTS} -j ACCEPT`,
  `${CHAIN} ${PORTS} -m state --state RELATED,ESTABLISHED -j RETURN`,
];
const TAIL = [
  `${CHAIN} ${PORTS} -m state --state NEW -j REJECT --reject-with tcp-reset`,
  `${CHAIN} ${PORTS} -j DROP`,
];

function formatRule(id: number): string {
  return `${CHAIN} -s 192.0.2.${id % 250}/32 -p tcp -m state --state NEW -m tcp --dport ${RANGE.min + id} -m comment`;
}
