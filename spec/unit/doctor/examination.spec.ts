import { describe, expect, it } from 'vitest';
import type { Probe } from '../../../src/doctor/answer.ts';
import { examine, type ExaminationParts } from '../../../src/doctor/examination.ts';
import { API_PORT, Host, RANGE } from './host.ts';

/** Hosts as they are at the first look, the second and so on; the last one stays. */
function createParts(hosts: Host[]): ExaminationParts & { asked: number[][] } {
  let looks = -1;
  const asked: number[][] = [];
  const current = (): Host => hosts[Math.min(Math.max(looks, 0), hosts.length - 1)] ?? new Host();
  return {
    asked,
    records: { read: () => Promise.resolve(current().records) },
    inspector: {
      inspect: () => {
        looks++;
        return Promise.resolve(current().inspection);
      },
    },
    prober: {
      probe: (instances): Promise<Probe[]> => {
        const ids = instances.map(({ id }) => id);
        asked.push(ids);
        return Promise.resolve(current().probes.filter(({ id }) => ids.includes(id)));
      },
    },
    paths: { dataPath: '/draupnir', scriptsPath: '/scripts' },
    ports: RANGE,
    apiPorts: [API_PORT],
    checksFirewall: false,
    patience: { finalisingMs: 1000, otherMs: 1000 },
  };
}

function createHost(change: (host: Host) => void = () => undefined): Host {
  const host = new Host().addImage(1, 'ready').addInstance(1, 'ready').addInstance(2, 'ready');
  change(host);
  return host;
}

const orphan = (id: number) => (host: Host) =>
  void host.inspection.subvolumes.push({ path: `instances/${id}`, readOnly: false, nested: false });

describe('an examination', () => {
  it('looks once where nothing is found, and tells what it looked at', async () => {
    const parts = createParts([createHost(), createHost(orphan(9))]);
    const { findings, checked } = await examine(parts, [0, 0]);
    expect(findings).toEqual([]);
    expect(checked).toEqual({ I1: 2, I2: 3, I3: 2, I4: 4, I6: 1, I7: 0, records: 3, leftovers: 11 });
    expect(parts.asked).toEqual([[1, 2]]);
  });

  it('tells only what is there at every look', async () => {
    const both = createHost((host) => [8, 9].forEach((id) => orphan(id)(host)));
    const parts = createParts([both, both, createHost(orphan(9))]);
    const { findings } = await examine(parts, [0, 0]);
    expect(findings.map(({ object }) => object)).toEqual(['instance 9']);
  });

  it('does not take two passing things for one that stays', async () => {
    const parts = createParts([createHost(orphan(8)), createHost(orphan(9))]);
    expect(await examine(parts, [0, 0])).toMatchObject({ findings: [] });
  });

  it('asks only those again of whom something was found', async () => {
    const host = createHost((made) => {
      const [one, two] = made.probes;
      if (one && two) made.probes = [one, { ...two, answers: [{ host: '::1', kind: 'silent' }] }];
    });
    const parts = createParts([host]);
    expect((await examine(parts, [0])).findings).toHaveLength(1);
    expect(parts.asked).toEqual([[1, 2], [2]]);
  });
});
