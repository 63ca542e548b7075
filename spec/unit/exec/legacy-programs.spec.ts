import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { findShadow } from '../../../src/exec/legacy-programs.ts';

let folder = '';
let path: string[] = [];
let program = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'draupnir-path-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  path = ['first', 'second', 'third'].map((name) => join(folder, name));
  for (const each of path) mkdirSync(each);
  program = join(folder, 'second/draupnir');
  writeFileSync(program, '');
});

describe('another program of the same name', () => {
  it('is found where a shell looks earlier', async () => {
    expect(await findShadow(program, path)).toBeUndefined();
    const by = join(folder, 'first/draupnir');
    writeFileSync(by, '');
    expect(await findShadow(program, path)).toEqual({ program, by });
  });

  it('does no harm where a shell looks later, or when it is this one', async () => {
    writeFileSync(join(folder, 'third/draupnir'), '');
    symlinkSync(program, join(folder, 'first/draupnir'));
    expect(await findShadow(program, path)).toBeUndefined();
  });

  it('is not looked for when this one is in none of the usual folders', async () => {
    writeFileSync(join(folder, 'first/draupnir'), '');
    writeFileSync(join(folder, 'draupnir'), '');
    expect(await findShadow(join(folder, 'draupnir'), path)).toBeUndefined();
  });
});
