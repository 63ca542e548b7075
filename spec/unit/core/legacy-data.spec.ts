import { beforeEach, describe, expect, it } from 'vitest';
import type { Instance, SharedPortStore } from '../../../src/core/instance.ts';
import { LegacyData, type LegacyStorage } from '../../../src/core/legacy-data.ts';
import { RecordingLog } from '../fakes/recording-log.ts';
import { Steps } from '../fakes/steps.ts';
import { FakeVolume } from '../fakes/world.ts';

/** Rows of 5.3 that have one port; who holds it is settled once. */
class SharedPorts implements SharedPortStore {
  rows: Instance[] = [];
  settled = false;
  readonly failures: string[] = [];

  listSharedPorts(): Promise<Instance[][]> {
    return Promise.resolve(this.settled || this.rows.length === 0 ? [] : [this.rows]);
  }

  assignPort(_port: number, holder: number, failure: string): Promise<void> {
    this.settled = true;
    this.failures.push(failure);
    this.rows = this.rows.map((row) => ({ ...row, portTaken: row.id !== holder }));
    return Promise.resolve();
  }
}

/** A disk of 5.3, and the ids of the instances whose Postgres answers. Step: `legacy.adoptData`. */
class LegacyHost implements LegacyStorage {
  readonly answering = new Set<number>();
  adoptions = 0;
  readonly #steps: Steps;

  constructor(steps: Steps) {
    this.#steps = steps;
  }

  adoptData(): Promise<void> {
    return this.#steps.run('legacy.adoptData', () => {
      this.adoptions++;
    });
  }

  answers({ id }: Instance): Promise<boolean> {
    return Promise.resolve(this.answering.has(id));
  }
}

let steps: Steps;
let store: SharedPorts;
let storage: LegacyHost;
let log: RecordingLog;
let legacy: LegacyData;
beforeEach(() => {
  steps = new Steps();
  store = new SharedPorts();
  storage = new LegacyHost(steps);
  log = new RecordingLog();
  legacy = new LegacyData({ store, storage, volume: new FakeVolume(steps), log });
});

function addRow(id: number, portTaken: boolean): void {
  const times = { createdAt: new Date(), updatedAt: new Date() };
  const row = {
    id,
    imageId: 1,
    port: 6000,
    userEmail: 'ada@example.com',
    status: 'ready',
    ...times,
  } as const;
  store.rows.push({ ...row, failure: undefined, ...(portTaken && { portTaken }) });
}

const listHolders = (): number[] => store.rows.filter(({ portTaken }) => !portTaken).map(({ id }) => id);

describe('what Draupnir 5.3 has left', () => {
  it('is adopted once, as soon as the volume is there', async () => {
    steps.failOnce('volume.requireMounted');
    await expect(legacy.run()).rejects.toThrow();
    expect(storage.adoptions).toBe(0);
    await legacy.run();
    await legacy.run();
    expect(storage.adoptions).toBe(1);
    expect(log.lines).toEqual([]);
  });

  it.each([
    ['the first', 1],
    ['the last', 3],
  ])(
    'leaves a shared port to %s instance when that one answers, and logs the ids of the others',
    async (_which, id) => {
      for (const each of [1, 2, 3]) addRow(each, each > 1);
      storage.answering.add(id);
      await legacy.run();
      expect(listHolders()).toEqual([id]);
      const others = [1, 2, 3].filter((each) => each !== id);
      expect(log.at('warn').map(({ fields }) => fields)).toMatchObject(
        others.map((instanceId) => ({ instanceId, port: 6000, holder: id })),
      );
      expect(store.failures).toEqual([expect.stringContaining(`instance ${id}`)]);
      await legacy.run();
      expect(log.lines).toHaveLength(2);
    },
  );

  it('leaves a shared port to the one that the database takes for its holder when none answers', async () => {
    addRow(1, true);
    addRow(2, false);
    await legacy.run();
    expect(listHolders()).toEqual([2]);
  });

  it('is not settled while the volume is away: no instance could prove its identity', async () => {
    await legacy.run();
    addRow(1, false);
    addRow(2, true);
    steps.failOnce('volume.requireMounted');
    await expect(legacy.run()).rejects.toThrow();
    expect(store.settled).toBe(false);
  });
});
