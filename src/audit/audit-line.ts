import type { AuditEntry } from '../core/audit-log.ts';

/** An entry as it stands in the file, one JSON object a line. Names and order of the fields are what readers rely on. */
export interface AuditRecord {
  /** UTC, ISO 8601 with milliseconds: when the answer was about to be sent. */
  time: string;
  request_id?: string;
  user: string;
  means: string;
  address?: string;
  action: string;
  object?: string;
  owner?: string;
  outcome: string;
  status?: number;
  reason?: string;
}

const TEXTS = ['time', 'user', 'means', 'action', 'outcome'];
const OPTIONAL_TEXTS = ['request_id', 'address', 'object', 'owner', 'reason'];

/** The line of an entry, without its end. */
export function formatAuditLine(entry: AuditEntry, time: Date): string {
  const { requestId, user, means, address, action, object, owner, outcome, status, reason } = entry;
  // JSON leaves out what is undefined, and escapes line breaks.
  const fields = { user, means, address, action, object, owner, outcome, status, reason };
  return JSON.stringify({ time: time.toISOString(), request_id: requestId, ...fields });
}

/** Reads a line; undefined when it is damaged. */
export function parseAuditLine(line: string): AuditRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const record = value as Record<string, unknown>;
  const complete =
    TEXTS.every((name) => typeof record[name] === 'string') &&
    OPTIONAL_TEXTS.every((name) => ['string', 'undefined'].includes(typeof record[name])) &&
    ['number', 'undefined'].includes(typeof record['status']) &&
    !Number.isNaN(Date.parse(record['time'] as string));
  return complete ? (record as unknown as AuditRecord) : undefined;
}
