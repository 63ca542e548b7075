import { beforeEach, describe, expect, it } from 'vitest';
import { EgressBlock } from '../../../src/core/egress-block.ts';
import { FakeFirewall } from '../fakes/fake-firewall.ts';
import { RecordingLog } from '../fakes/recording-log.ts';
import { Steps } from '../fakes/steps.ts';

let log: RecordingLog;
let firewall: FakeFirewall;
let egress: EgressBlock;
beforeEach(() => {
  log = new RecordingLog();
  firewall = new FakeFirewall(new Steps());
  egress = new EgressBlock(firewall, log);
});

describe('the block of outgoing connections', () => {
  it('is put right again when others have changed it, with a warning', async () => {
    await egress.apply();
    expect(egress.getState()).toEqual({ status: 'ok' });
    expect(log.lines).toEqual([]);
    firewall.egressBlocked = false;
    await egress.apply();
    expect(firewall.egressBlocked).toBe(true);
    expect(log.at('warn')).toHaveLength(1);
  });

  it('is only off on a host that cannot do it: one warning, and the way out', async () => {
    firewall.locked = true;
    await egress.apply();
    await egress.apply();
    expect(egress.getState().status).toBe('off');
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { hint: expect.any(String) as unknown } }]);
    firewall.locked = false;
    await egress.apply();
    expect(egress.getState()).toEqual({ status: 'ok' });
  });

  it('fails when it has worked before', async () => {
    await egress.apply();
    firewall.locked = true;
    await egress.apply();
    await egress.apply();
    expect(egress.getState().status).toBe('failing');
    expect(log.at('error')).toHaveLength(1);
    firewall.locked = false;
    await egress.apply();
    expect(egress.getState()).toEqual({ status: 'ok' });
    expect(log.at('info')).toHaveLength(1);
  });
});
