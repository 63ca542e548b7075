import { appendFile, mkdir, mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuditFile } from '../../../src/audit/audit-file.ts';
import { parseAuditLine } from '../../../src/audit/audit-line.ts';
import { type AuditFilter, readAuditFile } from '../../../src/audit/read-audit-file.ts';
import type { AuditEntry } from '../../../src/core/audit-log.ts';

const NOW = new Date('2026-05-01T12:00:00.123Z');

let directory = '';
let file = '';
const opened: AuditFile[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'draupnir-audit-'));
  file = join(directory, 'audit.log');
});
afterEach(async () => {
  for (const log of opened.splice(0)) await log.close();
  await rm(directory, { recursive: true });
});

async function open(path = file, now = NOW): Promise<AuditFile> {
  const log = await AuditFile.open(path, () => now);
  opened.push(log);
  return log;
}

function entry(user = 'ada@example.com', changes: Partial<AuditEntry> = {}): AuditEntry {
  return {
    user,
    means: 'session',
    action: 'instance.read',
    object: 'instances/7',
    outcome: 'done',
    ...changes,
  };
}

async function readEntries(filter: AuditFilter = {}): Promise<unknown[]> {
  const found = [];
  for await (const reading of readAuditFile(file, filter))
    found.push('record' in reading ? reading.record.user : reading.damagedLine);
  return found;
}

describe('the audit log', () => {
  it('holds a line of JSON for each entry', async () => {
    const log = await open(join(directory, 'made', 'audit.log'));
    await log.write(entry('ada@example.com', { status: 404, requestId: 'r', address: '::1', reason: 'x' }));
    await log.write({
      user: 'draupnir',
      means: 'cleaner',
      action: 'user.remove',
      owner: 'a\nb',
      outcome: 'failed',
    });
    expect(await readFile(join(directory, 'made', 'audit.log'), 'utf8')).toBe(
      '{"time":"2026-05-01T12:00:00.123Z","request_id":"r","user":"ada@example.com","means":"session","address":"::1",' +
        '"action":"instance.read","object":"instances/7","outcome":"done","status":404,"reason":"x"}\n' +
        '{"time":"2026-05-01T12:00:00.123Z","user":"draupnir","means":"cleaner","action":"user.remove","owner":"a\\nb",' +
        '"outcome":"failed"}\n',
    );
  });

  it('is private, and keeps what is there', async () => {
    await (await open()).write(entry('first'));
    await (await open()).write(entry('second'));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readEntries()).toEqual(['first', 'second']);
  });

  it('keeps lines whole and in order when many are written at once', async () => {
    const log = await open();
    const users = Array.from({ length: 500 }, (_, index) => `user-${index}`);
    await Promise.all(users.map((user) => log.write(entry(user))));
    expect(await readEntries()).toEqual(users);
  });

  it('goes on in a new file when the old one was moved away or removed', async () => {
    const log = await open();
    await log.write(entry('before'));
    await rename(file, `${file}.1`);
    await log.write(entry('after'));
    expect(await readEntries()).toEqual(['after']);
    await rm(file);
    await log.write(entry('last'));
    expect(await readEntries()).toEqual(['last']);
    expect(await readFile(`${file}.1`, 'utf8')).toContain('before');
  });

  it('says that it cannot be written, and when it can be again', async () => {
    const log = await open();
    await log.requireWritable();
    await rm(file);
    await mkdir(file);
    await expect(log.write(entry('lost'))).rejects.toThrow('EISDIR');
    await expect(log.requireWritable()).rejects.toMatchObject({ kind: 'audit_log_unavailable' });
    await rm(file, { recursive: true });
    await log.requireWritable();
    await log.write(entry('found'));
    expect(await readEntries()).toEqual(['found']);
  });

  it('is seen to be unusable before something is done that needs an entry', async () => {
    const log = await open();
    await log.write(entry('before'));
    await rename(file, `${file}.1`);
    await mkdir(file);
    await expect(log.requireWritable()).rejects.toMatchObject({ kind: 'audit_log_unavailable' });
    await rm(file, { recursive: true });
    await log.requireWritable();
    await log.write(entry('after'));
    expect(await readEntries()).toEqual(['after']);
  });

  it('is not opened through a link, a fifo or a directory', async () => {
    await writeFile(join(directory, 'target'), '');
    await symlink(join(directory, 'target'), file);
    await expect(open()).rejects.toThrow(`the audit log ${file} cannot be opened (ELOOP)`);
    await rm(file);
    await execa('mkfifo', [file]);
    await expect(open()).rejects.toThrow('cannot be opened');
    await rm(file);
    await mkdir(file);
    await expect(open()).rejects.toThrow('cannot be opened');
  });

  it('starts a new line after one that a full disk cut short', async () => {
    // A process whose files may have 1000 bytes: the line that goes beyond is cut, and the next one fails.
    const program = `
      import { AuditFile } from '${join(import.meta.dirname, '../../../src/audit/audit-file.ts')}';
      process.on('SIGXFSZ', () => undefined);
      const log = await AuditFile.open(process.argv[1]);
      const entry = { user: 'u'.repeat(600), means: 'none', action: 'a', outcome: 'done' };
      const write = () => log.write(entry).then(() => 'written', () => 'failed');
      const outcomes = [await write(), await write(), await write()];
      console.log(outcomes.join());`;
    const node = [process.execPath, '--input-type=module', '--eval', program, file];
    const { stdout } = await execa('prlimit', ['--fsize=1000:unlimited', ...node]);
    expect(stdout).toBe('written,failed,failed');
    expect((await stat(file)).size).toBe(1000);
    await (await open()).write(entry('after'));
    expect(await readEntries()).toEqual(['u'.repeat(600), 2, 'after']);
  });
});

describe('reading the audit log', () => {
  beforeEach(async () => {
    const times = ['2026-05-01T10:00:00Z', '2026-05-01T11:00:00Z', '2026-05-01T12:00:00Z'];
    for (const [index, time] of times.entries()) {
      const log = await open(file, new Date(time));
      await log.write(entry(['ada', 'bob', 'draupnir'][index], index === 2 ? { owner: 'ada' } : {}));
    }
  });

  it('gives what is as new as a moment', async () => {
    expect(await readEntries({ since: new Date('2026-05-01T11:00:00Z') })).toEqual(['bob', 'draupnir']);
  });

  it('gives what a user did, and what was done to what is theirs', async () => {
    expect(await readEntries({ user: 'ada' })).toEqual(['ada', 'draupnir']);
    expect(await readEntries({ user: 'bob' })).toEqual(['bob']);
  });

  it('tells damaged lines and goes on', async () => {
    await appendFile(
      file,
      '{"time":"2026-05-01T1\n\n[]\n{"time":"soon","user":"x","means":"","action":"","outcome":""}\n',
    );
    await (await open()).write(entry('after'));
    expect(await readEntries({ user: 'after' })).toEqual([4, 6, 7, 'after']);
  });
});

describe('a line of the audit log', () => {
  it.each([
    '',
    'null',
    '7',
    '{}',
    '{"time":"2026-05-01T12:00:00Z","user":7,"means":"","action":"","outcome":""}',
  ])('%j is damaged', (line) => expect(parseAuditLine(line)).toBeUndefined());
});
