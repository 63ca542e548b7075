import { beforeEach, describe, expect, it } from 'vitest';
import { Whitelist } from '../../../src/core/whitelist.ts';
import { FakeAddressStore, FakeFirewall } from '../fakes/fake-firewall.ts';
import { RecordingLog } from '../fakes/recording-log.ts';
import { Steps } from '../fakes/steps.ts';

const ADDRESS = '192.0.2.7';
const portRange = { min: 6000, max: 7000 };

let steps: Steps;
let log: RecordingLog;
let firewall: FakeFirewall;
let addresses: FakeAddressStore;
let whitelist: Whitelist;
beforeEach(() => {
  steps = new Steps();
  log = new RecordingLog();
  firewall = new FakeFirewall(steps);
  addresses = new FakeAddressStore(steps);
  whitelist = new Whitelist({ addresses, firewall, log, portRange });
});

const countTransactions = (): number => steps.taken.filter((step) => step === 'firewall.allow').length;

describe('the whitelist', () => {
  it('lets an address in before it says so', async () => {
    const hold = steps.hold('firewall.allow');
    let admitted = false;
    const admission = whitelist.admit(1, ADDRESS).then(() => (admitted = true));
    await hold.reached;
    expect(admitted).toBe(false);
    hold.release();
    await admission;
    expect(firewall.rules).toEqual([{ address: ADDRESS, port: 6001, userEmail: 'ada@example.com' }]);
  });

  it('asks nothing of the firewall for an address that is known', async () => {
    await whitelist.admit(1, ADDRESS);
    await whitelist.admit(1, ADDRESS);
    expect(countTransactions()).toBe(1);
  });

  it('makes one who comes with the same address wait for its rule', async () => {
    await whitelist.apply();
    const hold = steps.hold('firewall.allow');
    const first = whitelist.admit(1, ADDRESS);
    await hold.reached;
    let answered = false;
    const second = whitelist.admit(1, ADDRESS).then(() => (answered = true));
    await new Promise((resolve) => void setImmediate(resolve));
    expect(answered).toBe(false);
    hold.release();
    await Promise.all([first, second]);
  });

  it('takes up many changes by few transactions', async () => {
    await Promise.all(Array.from({ length: 100 }, (_, i) => whitelist.admit(i, ADDRESS)));
    expect(firewall.rules).toHaveLength(100);
    expect(countTransactions()).toBeLessThanOrEqual(2);
  });

  it('changes nothing when the addresses cannot be read', async () => {
    await whitelist.admit(1, ADDRESS);
    steps.failOnce('addresses.listAllowed', new Error('connection cut'));
    await expect(whitelist.admit(2, ADDRESS)).rejects.toThrow('connection cut');
    expect(countTransactions()).toBe(1);
    expect(firewall.rules).toHaveLength(1);
    expect(whitelist.getState().status).toBe('failing');
  });

  it('is not ready before its first transaction', async () => {
    expect(whitelist.getState().status).toBe('failing');
    await whitelist.apply();
    expect(whitelist.getState()).toEqual({ status: 'ok' });
  });

  it('lets nobody begin while the firewall fails, tries each time, and goes on once it works', async () => {
    firewall.locked = true;
    const refusal = { kind: 'firewall_unavailable' };
    await expect(whitelist.require()).rejects.toMatchObject(refusal);
    await expect(whitelist.admit(1, ADDRESS)).rejects.toMatchObject(refusal);
    // Recorded by now, but it has no rule.
    await expect(whitelist.admit(1, ADDRESS)).rejects.toMatchObject(refusal);
    await expect(whitelist.withdraw()).resolves.toBeUndefined();
    expect(log.at('error')).toHaveLength(1);
    firewall.locked = false;
    await whitelist.require();
    expect(firewall.rules).toHaveLength(1);
    expect(log.at('info')).toHaveLength(1);
    const before = countTransactions();
    await whitelist.require();
    expect(countTransactions()).toBe(before);
  });

  it('takes the rules away of what is gone', async () => {
    await whitelist.admit(1, ADDRESS);
    addresses.rows.clear();
    await whitelist.withdraw();
    expect(firewall.rules).toEqual([]);
  });

  it('warns when others have changed the rules, not when it has itself', async () => {
    await whitelist.admit(1, ADDRESS);
    await whitelist.admit(2, ADDRESS);
    expect(log.at('warn')).toEqual([]);
    firewall.rules = [];
    await whitelist.apply();
    expect(firewall.rules).toHaveLength(2);
    expect(log.at('warn')).toHaveLength(1);
  });

  it('opens no port outside the range, and says so once', async () => {
    await whitelist.admit(1, ADDRESS);
    await whitelist.admit(1000, ADDRESS);
    await whitelist.apply();
    expect(firewall.rules.map(({ port }) => port)).toEqual([6001]);
    expect(log.at('warn').map(({ fields }) => fields)).toMatchObject([{ ports: [7000] }]);
  });

  it('forgets unseen addresses before each transaction, with a time to live alone', async () => {
    await whitelist.apply();
    expect(addresses.forgotten).toEqual([]);
    const passing = new Whitelist({ addresses, firewall, log, portRange, addressTtlMs: 5000 });
    steps.taken.length = 0;
    await passing.apply();
    expect(addresses.forgotten).toEqual([5000]);
    expect(steps.taken).toEqual(['addresses.forgetUnseen', 'addresses.listAllowed', 'firewall.allow']);
  });
});
