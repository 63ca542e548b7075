import type { PortRange } from './check-ports.ts';
import type { Checked, Finding } from './finding.ts';
import type { AddressRecord } from './records.ts';
import type { View } from './view.ts';

/** States in which an instance's addresses are let in: all but the last. */
const GONE = 'destroying';
/** What a comment holds of an owner's name; the rest of a long one is left out. */
const USER_LIMIT = 200;

/**
 * I5: our chain, DRAUPNIR-WHITELIST by default, IPv4 and IPv6, is called first and lets in the recorded
 * addresses and nobody else.
 */
export function checkFirewall(view: View, addresses: readonly AddressRecord[], range: PortRange): Checked {
  const families = view.inspection.hasIpv6 ? ([4, 6] as const) : ([4] as const);
  let count = 0;
  const findings = families.flatMap((family) => {
    const desired = listDesired(view, addresses, range, family);
    count += desired.size;
    return [...checkFamily(view, family, desired, range)];
  });
  return { count, findings };
}

/** The rules for addresses, in the form in which `iptables -S` prints them, with their ports. */
function listDesired(
  view: View,
  addresses: readonly AddressRecord[],
  { min, max }: PortRange,
  family: 4 | 6,
): Map<string, number> {
  const instances = new Map(view.instances.map((instance) => [instance.id, instance]));
  const desired = new Map<string, number>();
  for (const { instanceId, address: recorded } of addresses) {
    const instance = instances.get(instanceId);
    if (!instance || instance.status === GONE || instance.portTaken) continue;
    if (instance.port < min || instance.port >= max) continue;
    // Where IPv6 only maps IPv4, packets have the IPv4 address (RFC 4291, section 2.5.5.2).
    const address = /^::ffff:([0-9.]+)$/i.exec(recorded)?.[1] ?? recorded;
    if ((address.includes(':') ? 6 : 4) !== family) continue;
    const user = instance.userEmail.replaceAll(/[^A-Za-z0-9._+@-]/g, '_').slice(0, USER_LIMIT) || '_';
    const match = `-s ${address}/${family === 4 ? 32 : 128} -p tcp -m state --state NEW -m tcp --dport ${instance.port}`;
    desired.set(
      `-A ${view.inspection.whitelistChain} ${match} -m comment --comment "user: ${user}" -j ACCEPT`,
      instance.port,
    );
  }
  return desired;
}

function* checkFamily(
  view: View,
  family: 4 | 6,
  desired: ReadonlyMap<string, number>,
  range: PortRange,
): Generator<Finding> {
  const chain = view.inspection.whitelistChain;
  const report = (message: string): Finding => ({
    invariant: 'I5',
    object: `chain ${chain}, IPv${family}`,
    message,
    hint: 'a running server puts it right at its next round (whitelist_reconcile_interval): see its log if it does not',
  });
  const lines = view.inspection.firewalls.find((each) => each.family === family)?.rules;
  if (!lines) {
    yield report('does not exist');
    return;
  }
  const ports = `-p tcp -m tcp --dport ${range.min}:${range.max - 1}`;
  const first = lines.find((line) => line.startsWith('-A INPUT ') && !isElsewhere(line, range));
  if (first !== `-A INPUT ${ports} -j ${chain}`) yield report('is not called by the first rule of INPUT');

  const rules = lines.filter((line) => line.startsWith(`-A ${chain} `));
  const head = [`-i lo ${ports} -j ACCEPT`, `${ports} -m state --state RELATED,ESTABLISHED -j RETURN`];
  const tail = [`${ports} -m state --state NEW -j REJECT --reject-with tcp-reset`, `${ports} -j DROP`];
  const isFrame = (at: number, frame: string[]): boolean =>
    frame.every((rule, index) => rules.at(at + index) === `-A ${chain} ${rule}`);
  if (rules.length < 4 || !isFrame(0, head) || !isFrame(-2, tail)) {
    yield report('does not begin or end with the rules that refuse everybody else');
  }

  const frame = new Set([...head, ...tail].map((rule) => `-A ${chain} ${rule}`));
  const found = new Set<string>();
  for (const rule of rules) {
    if (desired.has(rule) && !found.has(rule)) found.add(rule);
    else if (!frame.has(rule) && !isMoving(view, rule))
      yield report(`has a rule that no record asks for: ${rule}`);
  }
  for (const rule of desired.keys()) if (!found.has(rule)) yield report(`lacks a rule: ${rule}`);
}

/** Whether a rule of INPUT calls a chain for other ports alone, as another installation's: it may precede. */
function isElsewhere(line: string, { min, max }: PortRange): boolean {
  const [, from, to] =
    /^-A INPUT -p tcp -m tcp --dport ([0-9]+):([0-9]+) -j [A-Za-z0-9_-]+$/.exec(line) ?? [];
  return from !== undefined && (Number(to) < min || Number(from) >= max);
}

/** A rule for the port of something that comes or goes cannot be judged. */
function isMoving(view: View, rule: string): boolean {
  const port = / --dport ([0-9]+) /.exec(rule)?.[1];
  return port !== undefined && view.movingPorts.has(Number(port));
}
