import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { STANDBY, type StandbyScript } from '../../../src/exec/script-command.ts';
import { ScriptProcess } from '../../../src/exec/script-process.ts';
import { StandbyScripts } from '../../../src/exec/standby-scripts.ts';
import { StubScripts } from './stub-scripts.ts';

const directory = mkdtempSync(join(tmpdir(), 'draupnir-standby-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Where the one that waits last has written its process id. */
const WAITING = join(directory, 'pid');

/** Tells its own process id, what it was started with, and what stdin brought. */
const TELL = `
first="$*"
if [[ $1 == wait ]]; then [[ $0 != *destroy* ]] || echo $$ >${WAITING}; echo waiting; read -r -a given || exit 0; set -- "\${given[@]}"; fi
echo "$$ $first"
echo "$*"
cat`;

/** The process of the destruction that waits. */
function findWaiting(): Promise<number> {
  return vi.waitFor(() => {
    const pid = Number(readFileSync(WAITING, 'utf8'));
    if (pid === 0 || !isThere(pid)) throw new Error('none waits yet');
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
  it('is not given away before it waits', async () => {
    const late = join(directory, 'late');
    const body = `if [[ $1 == wait ]]; then until [[ -e ${late} ]]; do sleep 0.01; done; exit 1; fi; echo "$*"`;
    const { scripts, refusals } = createScripts({ 'draupnir-create-instance': body });
    for (const id of [7, 8]) expect(await scripts.run('draupnir-create-instance', [id])).toEqual([`${id}`]);
    expect(refusals).toEqual([]);
    writeFileSync(late, '');
    await expect.poll(() => refusals).toEqual(['draupnir-create-instance: ']);
    expect(await scripts.run('draupnir-create-instance', [9])).toEqual(['9']);
  });

  it('keeps nobody waiting at the end when it hangs', async () => {
    const { scripts } = createScripts({ 'draupnir-create-instance': 'trap "" TERM; exec sleep 20' });
    await findWaiting();
    const since = performance.now();
    await scripts.close();
    expect(performance.now() - since).toBeLessThan(10_000);
  });

  it('is given its numbers when it is needed, and the next one is another', async () => {
    const { scripts, refusals } = createScripts({});
    const run = (): Promise<string[]> =>
      scripts.run('draupnir-create-instance', [7, 1, 6000], { input: 'keys' });
    const given = [expect.stringMatching(/^\d+ wait$/), '7 1 6000', 'keys'];
    await expect.poll(run).toEqual(given);
    await expect.poll(run).toEqual(given);
    expect(refusals).toEqual([]);
  });

  it('serves one; whoever comes at the same time gets one that is started for it', async () => {
    const { scripts } = createScripts({});
    const runAll = async (): Promise<(string | undefined)[]> => {
      const outputs = await Promise.all(
        [1, 2, 3].map((id) => scripts.run('draupnir-destroy-instance', [id])),
      );
      expect(outputs.map(([, second]) => second)).toEqual(['1', '2', '3']);
      return outputs.map(([first]) => first?.replace(/^\d+ /, ''));
    };
    await expect.poll(runAll).toEqual(['wait', '2', '3']);
  });

  it('is started anew with the next use when it was killed meanwhile', async () => {
    const { scripts, refusals } = createScripts({});
    const waiting = await findWaiting();
    process.kill(waiting, 'SIGKILL');
    await expect.poll(() => isThere(waiting)).toBe(false);
    const run = async (id: number): Promise<string | undefined> =>
      (await scripts.run('draupnir-destroy-instance', [id]))[0]?.replace(/^\d+ /, '');
    expect(await run(2)).toBe('2');
    await expect.poll(() => run(3)).toBe('wait');
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
    await expect
      .poll(() => scripts.run('draupnir-destroy-instance', [1]))
      .toEqual([expect.stringMatching(/ wait$/), '1']);
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

  it('is not given away when it says something else than that it waits', async () => {
    const launched: ScriptProcess[] = [];
    const standby = new StandbyScripts(
      (script) => {
        const process = new ScriptProcess(script, { file: '/bin/bash', args: ['-c', 'echo usage; cat'] });
        launched.push(process);
        return process;
      },
      () => undefined,
    );
    standby.open();
    await expect.poll(() => launched.map(({ lastLine }) => lastLine)).toEqual(STANDBY.map(() => 'usage'));
    expect(STANDBY.map((script) => standby.take(script))).toEqual(STANDBY.map(() => undefined));
    await standby.close();
  });

  it('is not started again after the end', async () => {
    const started: ScriptProcess[] = [];
    const launch = (script: StandbyScript): ScriptProcess => {
      const process = new ScriptProcess(script, { file: '/bin/cat', args: [] });
      started.push(process);
      return process;
    };
    const standby = new StandbyScripts(launch, () => undefined);
    standby.open();
    expect(started).toHaveLength(STANDBY.length);
    await standby.close();
    for (const script of STANDBY) standby.refill(script);
    for (const process of started) process.end();
    expect(started).toHaveLength(STANDBY.length);
  });
});
