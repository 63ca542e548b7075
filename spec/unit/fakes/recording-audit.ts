import type { AuditEntry, AuditLog } from '../../../src/core/audit-log.ts';
import { DomainError } from '../../../src/core/errors.ts';

/** Keeps entries, for as long as its disk is not full. */
export class RecordingAudit implements AuditLog {
  readonly entries: AuditEntry[] = [];
  full = false;

  write(entry: AuditEntry): Promise<void> {
    if (this.full) return Promise.reject(new Error('the disk is full'));
    this.entries.push(entry);
    return Promise.resolve();
  }

  requireWritable(): Promise<void> {
    return this.full
      ? Promise.reject(new DomainError('audit_log_unavailable', 'the disk is full'))
      : Promise.resolve();
  }
}
