import { once } from 'node:events';
import type { AuditRecord } from '../audit/audit-line.ts';
import { type AuditFilter, readAuditFile } from '../audit/read-audit-file.ts';
import { loadConfigAsServerUser } from './server-user.ts';
import { reportStartFailure } from './start-failure.ts';

const COLUMNS = ['TIME', 'USER', 'MEANS', 'ADDRESS', 'ACTION', 'OBJECT', 'OUTCOME'];
/** The times and the addresses of IPv4 line up; longer texts push the rest to the right. */
const WIDTHS = [24, 28, 13, 15, 16, 13];

/**
 * `draupnir audit`: writes entries of the audit log to stdout, as a table or as JSON lines, and resolves to the exit code.
 * Lines that are damaged are told on stderr.
 */
export async function runAudit(options: {
  configFile: string;
  filter: AuditFilter;
  json: boolean;
}): Promise<number> {
  try {
    const { config } = await loadConfigAsServerUser(options.configFile);
    if (!options.json) await print(formatRow(COLUMNS));
    for await (const reading of readAuditFile(config.auditLog, options.filter)) {
      if ('record' in reading)
        await print(options.json ? JSON.stringify(reading.record) : formatRow(listCells(reading.record)));
      else process.stderr.write(`${config.auditLog}: line ${reading.damagedLine} is damaged\n`);
    }
    return 0;
  } catch (error) {
    return reportStartFailure(error);
  }
}

function listCells(record: AuditRecord): string[] {
  const { time, user, means, address, action, object, owner, outcome, status, reason } = record;
  const result = [outcome, status, reason, owner === undefined ? undefined : `owner=${owner}`];
  const rest = result.filter((part) => part !== undefined).join(' ');
  return [time, user, means, address ?? '-', action, object ?? '-', rest];
}

function formatRow(cells: string[]): string {
  const row = cells.map((cell, column) => cell.padEnd(WIDTHS[column] ?? 0)).join('  ');
  // Whoever can write the file must not send commands to the terminal of who reads it.
  // eslint-disable-next-line no-control-regex -- control characters are the point
  return row.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?').trimEnd();
}

/** Waits when the reader is slower than the file. */
async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
}
