import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, inject, it } from 'vitest';

const SRC = join(import.meta.dirname, '../../../src');

/** Runs code with a log and the error classes at hand, in a process of its own; the lines of its stdout. */
async function runLog(code: string, level = 'info'): Promise<Record<string, unknown>[]> {
  const program = `
    import pg from 'pg';
    import { createLog } from '${SRC}/server/log.ts';
    import { ScriptError } from '${SRC}/exec/script-error.ts';
    import { DomainError } from '${SRC}/core/errors.ts';
    import { Secret } from '${SRC}/core/secret.ts';
    const log = createLog({ level: '${level}', environment: 'staging' });
    ${code}`;
  const { stdout } = await execa(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: join(SRC, '..'),
    env: { NODE_COMPILE_CACHE: inject('compileCache') },
  });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the log', () => {
  it('writes a line of JSON with level, time and environment', async () => {
    const [line, ...more] = await runLog(`log.info({ instanceId: 7 }, 'created instance');`);
    expect(line).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
      environment: 'staging',
      instanceId: 7,
      msg: 'created instance',
    });
    expect(more).toEqual([]);
  });

  /** Many requests with other lines between them, by number, and one last request when the first lines are on their way. */
  const MANY = `
      for (let n = 0; n < 5000; n++) {
        log.info({ n: 2 * n }, 'request');
        if (n % 10 === 0) log.info({ n: 2 * n + 1 }, 'created instance');
      }
      const last = () => log.info({ n: 10_000 }, 'request');`;
  const NUMBERS = Array.from({ length: 10_001 }, (_, n) => n).filter((n) => n % 2 === 0 || n % 20 === 1);

  it('keeps the order of requests and other lines, however many there are', async () => {
    const lines = await runLog(`${MANY} setImmediate(last);`);
    expect(lines.map(({ n }) => n)).toEqual(NUMBERS);
  });

  it('loses none of them in a process that exits at once', async () => {
    const lines = await runLog(`${MANY} setImmediate(() => { last(); process.exit(); });`);
    const numbers = lines.map(({ n }) => Number(n)).sort((a, b) => a - b);
    expect(numbers).toEqual(NUMBERS);
  });

  it('writes the last line of a process that ends by itself', async () => {
    expect(await runLog(`log.info({}, 'request');`)).toMatchObject([{ msg: 'request' }]);
  });

  it('leaves out what is below its level', async () => {
    expect(await runLog(`log.info({}, 'no'); log.error({}, 'yes');`, 'warn')).toMatchObject([{ msg: 'yes' }]);
  });

  it('never shows a secret', async () => {
    const lines = await runLog(
      `log.info({ token: new Secret('hunter2'), deep: [new Secret('hunter2')] }, 'x');`,
    );
    expect(lines).toMatchObject([{ token: '[secret]', deep: ['[secret]'] }]);
  });

  it('shows of an error its name, message, stack and named fields, and nothing else that hangs on it', async () => {
    const [line] = await runLog(`
      const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', token: 'hunter2' });
      const error = Object.assign(new Error('request failed', { cause }), {
        config: { headers: { authorization: 'hunter2' } }, response: 'hunter2', code: 'E1' });
      log.error({ err: error }, 'x');`);
    expect(line?.['err']).toEqual({
      type: 'Error',
      message: 'request failed',
      code: 'E1',
      stack: expect.stringContaining('request failed') as string,
      cause: {
        type: 'Error',
        message: 'refused',
        code: 'ECONNREFUSED',
        stack: expect.stringContaining('refused') as string,
      },
    });
    expect(JSON.stringify(line)).not.toContain('hunter2');
  });

  it('shows the reason of a script, but not the row that Postgres quotes', async () => {
    const lines = await runLog(`
      log.error({ err: new ScriptError('draupnir-create-image', 70, 'the volume is full') }, 'x');
      const row = Object.assign(new pg.DatabaseError('duplicate key', 1, 'error'), {
        code: '23505', detail: 'Key (email)=(ada@example.com)', where: 'ada@example.com' });
      log.error({ err: row }, 'x');`);
    expect(lines).toMatchObject([
      {
        err: {
          type: 'ScriptError',
          script: 'draupnir-create-image',
          exitCode: 70,
          reason: 'the volume is full',
        },
      },
      { err: { message: 'duplicate key', code: '23505' } },
    ]);
    expect(JSON.stringify(lines)).not.toContain('ada@example.com');
  });

  it('shows nothing of what was thrown and is no error', async () => {
    expect(await runLog(`log.error({ err: { token: 'hunter2' } }, 'x');`)).toMatchObject([
      { err: 'not an error' },
    ]);
  });
});
