import { spawnSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { isForEval } from '../../../src/cli/eval-failure.ts';

describe('a command line for eval', () => {
  it.each([
    [['new']],
    [['env', '4']],
    [['env']],
    [['--nonsense', 'new']],
    [['--insecure', '--skip-verify', 'env', '4']],
    [['--', 'new']],
    // Misspelt, each by one slip.
    ...['nwe', 'enw', 'ne', 'nw', 'ew', 'neww', 'nnew', 'n3w', 'evn', 'nev', 'en', 'envv', 'NEW'].map(
      (word) => [[word]],
    ),
  ])('is %j', (args) => {
    expect(isForEval(args)).toBe(true);
  });

  it.each([
    [[]],
    [['--version']],
    [['instances', 'new']],
    [['help', 'new']],
    ...[
      'instances',
      'images',
      'config',
      'server',
      'audit',
      'doctor',
      'migrate',
      'never',
      'wen',
      'n',
      'e',
    ].map((word) => [[word]]),
  ])('is not %j', (args) => {
    expect(isForEval(args)).toBe(false);
  });
});

describe('a command for eval that fails', () => {
  const module = join(import.meta.dirname, '../../../src/cli/eval-failure.ts');

  function run(script: string, stdout: 'pipe' | number = 'pipe') {
    const source = `import { printFalseOnFailure } from ${JSON.stringify(module)}; printFalseOnFailure(); ${script}`;
    const args = ['--input-type=module-typescript', '--eval', source];
    const { status, stdout: printed } = spawnSync(process.execPath, args, {
      stdio: ['ignore', stdout, 'ignore'],
      encoding: 'utf8',
      env: { ...process.env, NODE_COMPILE_CACHE: inject('compileCache') },
      timeout: 20_000,
    });
    return [status, printed];
  }

  it.each([
    ['throws', 'throw new Error()', 1],
    ['rejects', 'setTimeout(() => Promise.reject(new Error()), 1)', 1],
    ['sets an exit code', 'process.exitCode = 64', 64],
    ['exits', 'process.exit(130)', 130],
    ['waits for what never comes', 'await new Promise(() => undefined)', 13],
  ])('prints false when it %s', (_what, script, status) => {
    expect(run(script)).toEqual([status, 'false\n']);
  });

  it('adds nothing when it succeeds', () => {
    expect(run('process.stdout.write("export A=b\\n")')).toEqual([0, 'export A=b\n']);
  });

  it('keeps its exit code when not even that can be printed', () => {
    expect(run('process.exitCode = 78', openSync('/dev/full', 'w'))).toEqual([78, null]);
  });
});
