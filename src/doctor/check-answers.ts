import type { Answer, AnswerKind, Probe } from './answer.ts';
import type { Checked, Finding, Repair } from './finding.ts';
import { listProcessesOf, type SettledInstance, type View } from './view.ts';

/** A certificate that ends sooner is a finding: time to act, in milliseconds. */
const EXPIRY_NOTICE_MS = 3 * 24 * 3_600_000;

const MESSAGES: Readonly<Record<Exclude<AnswerKind, 'itself'>, string>> = {
  refused: 'nobody listens',
  starting: 'Postgres takes no connections yet',
  silent: 'Postgres does not answer in time',
  rejected: 'its own client is rejected',
  other: 'another Postgres answers',
};

/** I1: every ready instance answers over mutual TLS on its port, IPv4 and IPv6, and says its own name. */
export function checkAnswers(view: View, probes: readonly Probe[], now: Date): Checked {
  const settled = new Map(view.instances.map((instance) => [instance.id, instance]));
  const findings: Finding[] = [];
  let count = 0;
  for (const probe of probes) {
    const instance = settled.get(probe.id);
    if (!instance?.runs) continue;
    count++;
    findings.push(...checkCredentials(instance, probe), ...checkExpiry(probe, now));
    for (const answer of probe.answers) {
      if (answer.kind !== 'itself') findings.push(describe(view, instance, answer));
    }
  }
  return { count, findings };
}

function* checkCredentials({ id }: SettledInstance, { credentials }: Probe): Generator<Finding> {
  if (credentials === 'open') return;
  const sealed = credentials === 'sealed otherwise';
  yield {
    invariant: 'installation',
    object: `instance ${id}`,
    message: sealed ? 'encryption_key_file does not open its credentials' : 'its credentials cannot be read',
    hint: sealed
      ? 'put back the key file that belongs to this database, or destroy the instance'
      : 'its owner cannot connect any more: destroy the instance',
  };
}

function* checkExpiry({ id, expiresAt }: Probe, now: Date): Generator<Finding> {
  if (expiresAt === undefined || expiresAt.getTime() - now.getTime() > EXPIRY_NOTICE_MS) return;
  const day = expiresAt.toISOString().slice(0, 10);
  yield {
    invariant: 'installation',
    object: `instance ${id}`,
    message: `its certificates end on ${day}`,
    hint: 'tell its owner: afterwards nobody can connect to it',
  };
}

function describe(view: View, instance: SettledInstance, answer: Answer): Finding {
  const { id, port } = instance;
  const kind = answer.kind === 'itself' ? 'other' : answer.kind;
  const host = answer.host.includes(':') ? `[${answer.host}]` : answer.host;
  const code = answer.code === undefined ? '' : ` (${answer.code})`;
  const finding = {
    invariant: 'I1',
    object: `instance ${id}`,
    message: `does not answer on ${host}:${port}: ${MESSAGES[kind]}${code}`,
  } as const;
  if (instance.adoptedUid !== undefined) {
    const hint = 'an instance of Draupnir 5.3 is not started again: destroy it and create another';
    return { ...finding, hint };
  }
  const repair = findRepair(view, instance, kind);
  if (repair) return { ...finding, hint: 'run draupnir doctor --fix, which starts it anew', repair };
  return { ...finding, hint: getHint(id, kind, view.dataPath) };
}

/** What is not there is started; what is there and says nothing is started anew; a wrong configuration stays one. */
function findRepair(view: View, instance: SettledInstance, kind: AnswerKind): Repair | undefined {
  const { id } = instance;
  if (kind === 'silent') return { action: 'restart-instance', id };
  if (kind !== 'refused') return undefined;
  const lives = listProcessesOf(view, instance).length > 0;
  return { action: lives ? 'restart-instance' : 'start-instance', id };
}

function getHint(id: number, kind: AnswerKind, dataPath: string): string {
  const conf = `${dataPath}/instance_config/${id}`;
  if (kind === 'rejected')
    return `compare ${conf}/pg_hba.conf and the certificates there with another instance's`;
  if (kind === 'starting') return `it may be recovering: look again in a while, and at ${conf}/postgres.log`;
  return 'somebody else has taken its port: find out who by ss -ltnp, and end that program';
}
