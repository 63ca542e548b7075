import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ScriptProcess } from '../../../src/exec/script-process.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'draupnir-script-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let count = 0;

/** Starts a bash script with this body. */
function start(body: string, args: string[] = []): ScriptProcess {
  const file = join(directory, `script-${++count}`);
  writeFileSync(file, `#!/bin/bash\n${body}\n`, { mode: 0o700 });
  return new ScriptProcess('draupnir-test', { file, args });
}

async function readAll(process: ScriptProcess): Promise<string[]> {
  const lines: string[] = [];
  for (let line = await process.readLine(); line !== undefined; line = await process.readLine()) {
    lines.push(line);
  }
  return lines;
}

describe('a script process', () => {
  it('exchanges lines, each side waiting for the other', async () => {
    const process = start('while IFS= read -r line; do printf "got %s\\n" "$line"; done; echo bye');
    for (const word of ['one', 'two  words', 'ünïcode 🐘']) {
      process.write(`${word}\n`);
      expect(await process.readLine()).toBe(`got ${word}`);
    }
    process.end();
    expect(await readAll(process)).toEqual(['bye']);
    expect(await process.exited()).toBe(0);
    expect(await process.readLine()).toBeUndefined();
  });

  it('keeps lines that were printed before anybody read, and a last one without an end', async () => {
    const process = start('printf "a\\n\\nb\\nc"');
    expect(await process.exited()).toBe(0);
    expect(await readAll(process)).toEqual(['a', '', 'b', 'c']);
  });

  it('takes long input whole', async () => {
    const process = start('wc -c');
    process.write('x'.repeat(3_000_000));
    process.end();
    expect(await readAll(process)).toEqual(['3000000']);
  });

  it.each([0, 1, 65, 73, 255])('resolves to exit code %i', async (code) => {
    const process = start(`exit ${code}`);
    expect(await process.exited()).toBe(code);
  });

  it('resolves to no exit code when the script was killed', async () => {
    const process = start('kill -9 $$');
    expect(await process.exited()).toBeUndefined();
  });

  it('is told to stop by the end of its stdin', async () => {
    const process = start('echo ready; cat >/dev/null; exit 9');
    expect(await process.readLine()).toBe('ready');
    process.end();
    expect(await process.exited()).toBe(9);
  });

  it('survives a script that does not read what it is sent', async () => {
    const process = start('exec <&-; echo deaf; exit 3');
    expect(await process.readLine()).toBe('deaf');
    process.write('x'.repeat(1_000_000));
    expect(await process.exited()).toBe(3);
    process.write('too late\n');
    process.end();
  });

  it('tells the reason apart from the message', async () => {
    const process = start('echo "row ada@example.com" >&2; exit 70');
    const failure = await process.failure();
    expect(failure).toMatchObject({
      name: 'ScriptError',
      message: 'draupnir-test failed',
      script: 'draupnir-test',
      exitCode: 70,
      reason: 'row ada@example.com',
    });
    expect(failure.stack).not.toContain('ada@example.com');
  });

  it('keeps the last 4096 characters of what the script complains, and stdout apart', async () => {
    const process = start(
      'echo to stdout; head -c 200000 /dev/zero | tr "\\0" x >&2; echo the end >&2; exit 1',
    );
    const { reason } = await process.failure();
    expect(reason.length).toBeLessThanOrEqual(4096);
    expect(reason).toMatch(/^x{4000,}the end$/);
    expect(await readAll(process)).toEqual(['to stdout']);
  });

  it('keeps letters whole that arrive in two pieces', async () => {
    const process = start('printf "\\xc3" >&2; echo; read -r; printf "\\xbc" >&2; exit 1');
    await process.readLine();
    // Both pipes are read in one turn of the event loop: after it the first piece is here, alone.
    await new Promise(setImmediate);
    process.write('go on\n');
    expect((await process.failure()).reason).toBe('ü');
  });

  it('gets a fixed environment and the arguments as they are', async () => {
    vi.stubEnv('PGPASSWORD', 'hunter2');
    const process = start('env; pwd; printf "<%s>\\n" "$@"', ['a b', '$(id)', '; ls', '']);
    vi.unstubAllEnvs();
    const lines = await readAll(process);
    expect(lines.filter((line) => line.startsWith('PATH='))).toEqual([
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ]);
    expect(lines.join('\n')).not.toContain('hunter2');
    expect(lines.slice(-5)).toEqual(['/', '<a b>', '<$(id)>', '<; ls>', '<>']);
  });

  it('fails, and does not hang, when there is no such program', async () => {
    const process = new ScriptProcess('draupnir-test', { file: join(directory, 'missing'), args: [] });
    process.write('hello\n');
    process.end();
    expect(await process.exited()).toBeUndefined();
    expect(await process.readLine()).toBeUndefined();
    expect(await process.failure()).toMatchObject({ exitCode: undefined });
  });
});
