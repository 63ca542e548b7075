import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { type AuditRecord, parseAuditLine } from './audit-line.ts';

/** Which entries are wanted. */
export interface AuditFilter {
  /** Those of this moment and later. */
  since?: Date;
  /** Those of this user, and those on what is this user's. */
  user?: string;
}

/** A line of the file: an entry, or one that cannot be read as such. */
export type AuditReading = { record: AuditRecord } | { damagedLine: number };

/** The server writes no log that is a link; and a pipe would keep the reader waiting. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Reads the entries that pass the filter, in the order of the file. Lines that are damaged are told, whatever the filter. */
export async function* readAuditFile(file: string, filter: AuditFilter): AsyncGenerator<AuditReading> {
  const handle = await open(file, FLAGS);
  let number = 0;
  for await (const line of handle.readLines()) {
    number += 1;
    if (line === '') continue;
    const record = parseAuditLine(line);
    if (!record) yield { damagedLine: number };
    else if (passes(record, filter)) yield { record };
  }
}

function passes(record: AuditRecord, { since, user }: AuditFilter): boolean {
  if (since && Date.parse(record.time) < since.getTime()) return false;
  return user === undefined || record.user === user || record.owner === user;
}
