import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Secret } from '../core/secret.ts';
import { KEY_BYTES } from './sealed-box.ts';

/** Reads the encryption key, 64 hexadecimal digits; makes the file, mode 0600, when there is none. Throws on a damaged one. */
export async function readOrCreateKeyFile(file: string): Promise<Secret<Buffer>> {
  const found = await readKeyFile(file);
  if (found) return found;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(`${randomBytes(KEY_BYTES).toString('hex')}\n`);
    await handle.sync();
    // link, unlike rename, never replaces a key that another server has just made.
    await link(draft, file).catch((error: unknown) => {
      if (!isCode(error, 'EEXIST')) throw error;
    });
  } finally {
    await handle.close();
    await rm(draft);
  }
  const made = await readKeyFile(file);
  if (!made) throw new Error(`cannot read ${file} back`);
  return made;
}

/** Reads the encryption key; undefined when there is no file. Throws on a damaged one, and when it must not be read. */
export async function readKeyFile(file: string): Promise<Secret<Buffer> | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  if (!/^[0-9a-f]{64}\s*$/.test(text)) throw new Error(`${file} does not hold 64 hexadecimal digits`);
  return new Secret(Buffer.from(text.trim(), 'hex'));
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
