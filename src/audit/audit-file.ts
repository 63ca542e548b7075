import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AuditEntry, AuditLog } from '../core/audit-log.ts';
import { DomainError } from '../core/errors.ts';
import { formatAuditLine } from './audit-line.ts';

/** Only ever longer, and never what a link points to: whoever can write the directory must not choose another file. */
const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
/** For a new file; one that is there keeps what the administrator gave it. */
const MODE = 0o600;

/**
 * The audit log in a file, one write(2) a line: lines are whole, whatever happens to the process. They are in the hands of
 * the kernel then, which survives the end of the process but not of the machine: an fsync for each would cost more than
 * what is recorded. A file that was moved away or removed, as logrotate does, is opened anew.
 */
export class AuditFile implements AuditLog {
  readonly #file: string;
  readonly #now: () => Date;
  #handle: FileHandle;
  /** The last write failed: whether the next would work is not known. */
  #broken = false;
  /** The file ends in a line that was cut short: the next one must start a new line. */
  #torn: boolean;
  #queue: Promise<void> = Promise.resolve();

  private constructor(file: string, { handle, torn }: OpenFile, now: () => Date) {
    this.#file = file;
    this.#handle = handle;
    this.#torn = torn;
    this.#now = now;
  }

  /** Opens the file, or makes it. Throws when that is not possible. */
  static async open(file: string, now: () => Date = () => new Date()): Promise<AuditFile> {
    try {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      return new AuditFile(file, await openFile(file), now);
    } catch (cause) {
      const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown failure';
      const hint = 'make it writable for the user of the server, or set audit_log';
      throw new Error(`the audit log ${file} cannot be opened (${reason}): ${hint}`, { cause });
    }
  }

  write(entry: AuditEntry): Promise<void> {
    return this.#enqueue(() => this.#append(`${formatAuditLine(entry, this.#now())}\n`));
  }

  async requireWritable(): Promise<void> {
    try {
      // A file in another's place is opened before the change rather than after it. An empty line is no entry, but needs
      // what an entry needs.
      await this.#enqueue(() => (this.#broken ? this.#append('\n') : this.#followRotation()));
    } catch (cause) {
      const reason = 'nothing is done that cannot be entered into the audit log, which cannot be written';
      throw new DomainError('audit_log_unavailable', `${reason}; try again later`, { cause });
    }
  }

  async close(): Promise<void> {
    await this.#queue;
    await this.#handle.close();
  }

  /** One after the other, so that a line that was cut short is followed by a new one. */
  #enqueue(write: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(write);
    this.#queue = done.then(
      () => void (this.#broken = false),
      () => void (this.#broken = true),
    );
    return done;
  }

  async #append(line: string): Promise<void> {
    await this.#followRotation();
    const bytes = Buffer.from(this.#torn ? `\n${line}` : line);
    const { bytesWritten } = await this.#handle.write(bytes);
    this.#torn = bytesWritten < bytes.length && (bytesWritten > 0 || this.#torn);
    if (bytesWritten < bytes.length) throw new Error('the audit log was written in part: the disk is full');
  }

  async #followRotation(): Promise<void> {
    const [opened, there] = await Promise.all([this.#handle.stat(), stat(this.#file).catch(() => undefined)]);
    if (there?.ino === opened.ino && there.dev === opened.dev) return;
    const next = await openFile(this.#file);
    await this.#handle.close();
    this.#handle = next.handle;
    this.#torn = next.torn;
  }
}

interface OpenFile {
  handle: FileHandle;
  torn: boolean;
}

async function openFile(file: string): Promise<OpenFile> {
  // Without O_NONBLOCK a fifo in its place would hold up the server.
  const handle = await open(file, FLAGS | constants.O_NONBLOCK, MODE);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw Object.assign(new Error('no regular file'), { code: 'no regular file' });
    const { buffer } = await handle.read(Buffer.alloc(1, '\n'), 0, 1, Math.max(0, found.size - 1));
    return { handle, torn: buffer.toString() !== '\n' };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
