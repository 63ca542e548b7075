import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { execa } from 'execa';
import { expect, inject } from 'vitest';
import { END_OF_TAR, formatMembers, type TarMember } from '../../../support/tar.ts';

const DEBIAN = '/usr/lib/postgresql';

/** Bytes that an upload may unpack to, and how many files and folders it may hold. */
const FREE_BYTES = 2 ** 30;
export const MAX_FILES = 1000;

/** Majors that are installed, as far as the program can see. */
const MAJORS = [13, 14, 15, 16, 17, 18];

/** The smallest directory that passes for one of Postgres: the program starts none. */
const DATA_DIRECTORY = ['base/1/1', 'global/pg_control', 'pg_wal/0', 'pg_xact/0', 'pg_multixact/members/0'];

/** What came of a check. */
export interface Verdict {
  exitCode: number | undefined;
  /** The major, or the reason. */
  stdout: string;
  stderr: string;
}

/**
 * `unpackUpload` on uploads in a directory of its own, without privileges: it needs neither a server nor btrfs nor
 * a running Postgres.
 */
export class UploadCheck {
  /** Everything is below it. */
  readonly dir: string;
  /** Debian's major, whose programs there are. */
  readonly major: number;
  /** Files of another user, which uploads reach for; all users may write to them. */
  readonly bystander: string;
  readonly #owner: { uid: number; gid: number } | undefined;
  #bystanderBefore = '';
  #count = 0;

  private constructor(dir: string, major: number, owner: { uid: number; gid: number } | undefined) {
    this.dir = dir;
    this.bystander = join(dir, 'bystander');
    this.major = major;
    this.#owner = owner;
  }

  static async create(): Promise<UploadCheck> {
    const major = Math.max(...(await readdir(DEBIAN)).filter((name) => /^\d+$/.test(name)).map(Number));
    const check = new UploadCheck(
      await mkdtemp(join(tmpdir(), 'draupnir-upload-')),
      major,
      await findOwner(),
    );
    for (const each of MAJORS) await check.#install(each);
    await check.#handOver(check.dir);
    await check.#createBystander();
    return check;
  }

  /** An upload that holds a data directory, at its top or in a folder, for changing. */
  async createUpload(folder = '.'): Promise<string> {
    const upload = await this.createEmptyUpload();
    for (const file of DATA_DIRECTORY) await write(join(upload, folder, file), file);
    await write(join(upload, folder, 'PG_VERSION'), `${this.major}\n`);
    return upload;
  }

  async createEmptyUpload(): Promise<string> {
    const upload = join(this.dir, `upload-${this.#count++}`);
    await mkdir(upload);
    return upload;
  }

  /** An upload that is one file; by default an archive of a data directory. */
  async createArchive(name: string, archive = this.formatArchive()): Promise<string> {
    const upload = await this.createEmptyUpload();
    await writeFile(join(upload, name), archive);
    return upload;
  }

  /** The archive of a data directory, at its top or in a folder, and of further members. */
  formatArchive(members: readonly TarMember[] = [], folder = '.'): Buffer {
    const good = DATA_DIRECTORY.map((name) => ({ name: `${folder}/${name}`, content: name }));
    const version = { name: `${folder}/PG_VERSION`, content: `${this.major}\n` };
    return Buffer.concat([formatMembers([version, ...good, ...members]), END_OF_TAR]);
  }

  /**
   * Writes a manifest of the upload as it is now, in the form of Postgres (PostgreSQL manual, "Backup Manifest Format"); `absent`
   * is listed and not there.
   */
  async writeManifest(upload: string, absent: string): Promise<void> {
    const entries = await readdir(upload, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    const lines = [describeFile(absent, Buffer.from('gone'))];
    for (const file of files) lines.push(describeFile(relative(upload, file), await readFile(file)));
    const text = `{ "PostgreSQL-Backup-Manifest-Version": 1,
"Files": [
${lines.join(',\n')}
],
"WAL-Ranges": [
{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }
],
`;
    await writeFile(join(upload, 'backup_manifest'), `${text}"Manifest-Checksum": "${hash(text)}"}\n`);
  }

  async run(upload: string, freeBytes = FREE_BYTES): Promise<Verdict> {
    await this.#handOver(upload);
    const args = [upload, join(this.dir, 'postgres'), String(freeBytes), String(MAX_FILES)];
    const programs = inject('preparationPrograms');
    const argv = [join(programs, 'node'), join(programs, 'unpack-program.cjs'), ...args];
    const { exitCode, stdout, stderr } = await execa(...this.#asOwner(argv), { cwd: '/', reject: false });
    return { exitCode, stdout, stderr };
  }

  /** Throws when anything about the bystander's files has changed. */
  async expectBystanderUntouched(): Promise<void> {
    expect(await describeFiles(this.bystander)).toBe(this.#bystanderBefore);
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true });
  }

  async #createBystander(): Promise<void> {
    await mkdir(join(this.bystander, 'directory'), { recursive: true });
    await writeFile(join(this.bystander, 'file'), 'not yours\n');
    await writeFile(join(this.bystander, 'directory/file'), 'not yours either\n');
    await execa('chmod', ['-R', 'a+rwX', this.bystander]);
    this.#bystanderBefore = await describeFiles(this.bystander);
  }

  async #install(major: number): Promise<void> {
    const bin = join(this.dir, 'postgres', String(major), 'bin');
    await mkdir(bin, { recursive: true });
    await writeFile(join(bin, 'postgres'), '', { mode: 0o755 });
    if (major === this.major) {
      const name = 'pg_verifybackup';
      const program = join(DEBIAN, String(major), 'bin', name);
      await writeFile(join(bin, name), `#!/bin/sh\nexec ${program} "$@"\n`, { mode: 0o755 });
    }
  }

  async #handOver(path: string): Promise<void> {
    if (this.#owner) await execa('chown', ['-R', '-h', `${this.#owner.uid}:${this.#owner.gid}`, path]);
  }

  #asOwner(argv: readonly string[]): [string, string[]] {
    const owner = this.#owner;
    const drop = owner && ['setpriv', `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups', '--'];
    const [file = '', ...args] = [...(drop ?? []), ...argv];
    return [file, args];
  }
}

/** Everything that a write, a link or a change of owner would change. */
async function describeFiles(dir: string): Promise<string> {
  const { stdout } = await execa('find', [dir, '-printf', '%P %y %m %U:%G %n %s %T@ %C@\\n']);
  return stdout.split('\n').sort().join('\n');
}

function describeFile(path: string, content: Buffer): string {
  const checksum = `"Checksum-Algorithm": "SHA256", "Checksum": "${hash(content)}"`;
  const modified = '"Last-Modified": "2026-05-01 12:00:00 GMT"';
  return `{ "Path": "${path}", "Size": ${content.length}, ${modified}, ${checksum} }`;
}

function hash(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

/** As root the tests are another user: the program runs without privileges. */
async function findOwner(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => execa('id', [flag, 'nobody'])));
  return { uid: Number(uid?.stdout), gid: Number(gid?.stdout) };
}
