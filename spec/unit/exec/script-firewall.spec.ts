import { describe, expect, it } from 'vitest';
import { ScriptFirewall } from '../../../src/exec/script-firewall.ts';
import { StubScripts } from './stub-scripts.ts';

const RULES = [{ address: '192.0.2.7', port: 7432, userEmail: 'ada@example.com' }];

describe('the firewall by scripts', () => {
  it.each([
    ['iptables unchanged', 'ip6tables unchanged', false],
    ['iptables unchanged', 'ip6tables changed', true],
    ['iptables changed', 'ip6tables unchanged', true],
  ])('takes %s, %s for changed: %s', async (first, second, changed) => {
    const body = `echo ${first}; echo ${second}`;
    const scripts = new StubScripts({ 'draupnir-apply-firewall': body, 'draupnir-block-egress': body });
    const firewall = new ScriptFirewall(scripts);
    expect(await firewall.allow(RULES)).toBe(changed);
    expect(await firewall.blockEgress()).toBe(changed);
  });

  it('gives the script the whole set on stdin and no argument', async () => {
    const body = `[[ $# -eq 0 && $(cat) == $'rules 1\\n192.0.2.7 7432 ada@example.com\\nend' ]]`;
    await expect(
      new ScriptFirewall(new StubScripts({ 'draupnir-apply-firewall': body })).allow(RULES),
    ).resolves.toBe(false);
  });

  it('fails with a hint to ask again, and keeps the reason for the log', async () => {
    const scripts = new StubScripts({ 'draupnir-apply-firewall': 'echo locked >&2; exit 69' });
    await expect(new ScriptFirewall(scripts).allow([])).rejects.toMatchObject({
      kind: 'firewall_unavailable',
      message: 'the firewall cannot be changed: ask again, and tell the operator',
      cause: { name: 'ScriptError', exitCode: 69, reason: 'locked' },
    });
  });
});
