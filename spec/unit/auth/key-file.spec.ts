import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readOrCreateKeyFile } from '../../../src/auth/key-file.ts';

let directory = '';
let file = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'draupnir-key-'));
  file = join(directory, 'state', 'encryption.key');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('the key file', () => {
  it('is made once, for its owner alone, in a folder for its owner alone', async () => {
    const made = await readOrCreateKeyFile(file);
    expect(made.reveal()).toHaveLength(32);
    expect(readFileSync(file, 'utf8')).toBe(`${made.reveal().toString('hex')}\n`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'state')).mode & 0o777).toBe(0o700);
    expect((await readOrCreateKeyFile(file)).reveal()).toEqual(made.reveal());
  });

  it('is one and the same for all who make it at once, and no draft stays', async () => {
    const keys = await Promise.all(Array.from({ length: 20 }, () => readOrCreateKeyFile(file)));
    expect(new Set(keys.map((key) => key.reveal().toString('hex'))).size).toBe(1);
    expect(readdirSync(join(directory, 'state'))).toEqual(['encryption.key']);
  });

  it('differs from installation to installation', async () => {
    const other = await readOrCreateKeyFile(join(directory, 'other.key'));
    expect((await readOrCreateKeyFile(file)).reveal()).not.toEqual(other.reveal());
  });

  it.each(['', 'not a key', 'ab'.repeat(31), 'ab'.repeat(33), 'AB'.repeat(32), `${'ab'.repeat(32)}\nmore`])(
    'is refused when it is damaged, and stays as it is: %j',
    async (text) => {
      const damaged = join(directory, 'damaged.key');
      writeFileSync(damaged, text);
      const error: unknown = await readOrCreateKeyFile(damaged).catch((reason: unknown) => reason);
      expect(error).toEqual(new Error(`${damaged} does not hold 64 hexadecimal digits`));
      expect(readFileSync(damaged, 'utf8')).toBe(text);
    },
  );

  it('is refused when it cannot be read', async () => {
    await expect(readOrCreateKeyFile(directory)).rejects.toMatchObject({ code: 'EISDIR' });
  });
});
