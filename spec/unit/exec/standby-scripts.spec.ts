import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { StubScripts } from './stub-scripts.ts';

const directory = mkdtempSync(join(tmpdir(), 'draupnir-standby-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Where the one that waits last has written its process id. */
const WAITING = join(directory, 'pid');

/** Tells its own process id, what it was started with, and what stdin brought. */
const TELL = `
first="$*"
if [[ $1 == wait ]]; then [[ $0 != *destroy* ]] || echo $$ >${WAITING}; read -r -a given || exit 0; set -- "\${given[@]}"; fi
echo "$$ $first"
echo "$*"
cat`;

/** The process of the destruction that waits, another one than that. */
function findWaiting(other?: number): Promise<number> {
  return vi.waitFor(() => {
    const pid = Number(readFileSync(WAITING, 'utf8'));
    if (pid === 0 || pid === other || !isThere(pid)) throw new Error('none waits yet');
    return pid;
  });
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Scripts of which one each is started in advance, as long as the running test runs. */
function createScripts(bodies: ConstructorParameters<typeof StubScripts>[0]): {
  scripts: StubScripts;
  refusals: string[];
} {
  const scripts = new StubScripts({
    'draupnir-create-instance': TELL,
    'draupnir-destroy-instance': TELL,
    ...bodies,
  });
  const refusals: string[] = [];
  scripts.standBy((script, reason) => refusals.push(`${script}: ${reason}`));
  onTestFinished(() => scripts.close());
  return { scripts, refusals };
}

describe('a script that was started in advance', () => {
  it('is given its numbers when it is needed, and the next one is another', async () => {
    const { scripts, refusals } = createScripts({});
    const first = await scripts.run('draupnir-create-instance', [7, 1, 6000], { input: 'keys' });
    expect(first.slice(1)).toEqual(['7 1 6000', 'keys']);
    expect(first[0]).toMatch(/^\d+ wait$/);
    const second = await scripts.run('draupnir-create-instance', [8, 1, 6001]);
    expect(second).toEqual([expect.stringMatching(/^\d+ wait$/), '8 1 6001']);
    expect(second[0]).not.toBe(first[0]);
    expect(refusals).toEqual([]);
  });

  it('serves one; whoever comes at the same time gets one that is started for it', async () => {
    const { scripts } = createScripts({});
    const outputs = await Promise.all([1, 2, 3].map((id) => scripts.run('draupnir-destroy-instance', [id])));
    expect(outputs.map(([first]) => first?.replace(/^\d+ /, ''))).toEqual(['wait', '2', '3']);
    expect(outputs.map(([, second]) => second)).toEqual(['1', '2', '3']);
  });

  it('is started anew with the next use when it was killed meanwhile', async () => {
    const { scripts, refusals } = createScripts({});
    const [first = ''] = await scripts.run('draupnir-destroy-instance', [1]);
    const waiting = await findWaiting(Number.parseInt(first, 10));
    process.kill(waiting, 'SIGKILL');
    await expect.poll(() => isThere(waiting)).toBe(false);
    const [second] = await scripts.run('draupnir-destroy-instance', [2]);
    const [third] = await scripts.run('draupnir-destroy-instance', [3]);
    expect([second, third].map((line) => line?.replace(/^\d+ /, ''))).toEqual(['2', 'wait']);
    expect(refusals).toEqual([]);
  });

  it('is told once where it cannot be, and run as it is asked for', async () => {
    const body = '[[ $1 != wait ]] || { echo "a password is required" >&2; exit 1; }; echo "$*"';
    const { scripts, refusals } = createScripts({ 'draupnir-create-instance': body });
    await expect.poll(() => refusals).toEqual(['draupnir-create-instance: a password is required']);
    for (const id of [7, 8]) expect(await scripts.run('draupnir-create-instance', [id])).toEqual([`${id}`]);
    expect(refusals).toHaveLength(1);
  });

  it('takes nothing but numbers', async () => {
    const { scripts } = createScripts({});
    expect(() => scripts.start('draupnir-destroy-instance', [0.5])).toThrow(RangeError);
    const [first] = await scripts.run('draupnir-destroy-instance', [1]);
    expect(first).toMatch(/ wait$/);
  });

  it('is gone when the server ends', async () => {
    const { scripts, refusals } = createScripts({});
    const waiting = await findWaiting();
    await scripts.close();
    expect(isThere(waiting)).toBe(false);
    const [first] = await scripts.run('draupnir-destroy-instance', [1]);
    expect(first).toMatch(/ 1$/);
    expect(refusals).toEqual([]);
  });
});
