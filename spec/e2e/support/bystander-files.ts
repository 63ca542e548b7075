import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { run } from './command.ts';
import { getInstallation } from './installation.ts';

/** Files of somebody else, which uploads reach for. */
export interface BystanderFiles {
  /** Holds `file` and `directory/file`; everybody may write to them. */
  dir: string;
  /** Throws when anything about them has changed. */
  expectUntouched(): Promise<void>;
}

/** Makes such files for the tests of a file of tests; that they are as they were is also looked at in the end. */
export function useBystanderFiles(): BystanderFiles {
  let before = '';
  const bystander: BystanderFiles = {
    dir: '',
    async expectUntouched() {
      expect(await describeFiles(bystander.dir)).toBe(before);
    },
  };
  beforeAll(async () => {
    bystander.dir = join(getInstallation().scratch, `bystander-${process.pid}`);
    await mkdir(join(bystander.dir, 'directory'), { recursive: true });
    await writeFile(join(bystander.dir, 'file'), 'not yours\n');
    await writeFile(join(bystander.dir, 'directory/file'), 'not yours either\n');
    await run(['chmod', '-R', 'a+rwX', bystander.dir]);
    before = await describeFiles(bystander.dir);
  });
  afterAll(() => bystander.expectUntouched());
  return bystander;
}

/** Everything that a write, a link or a change of owner would change. */
async function describeFiles(dir: string): Promise<string> {
  const lines = await run(['find', dir, '-printf', '%P %y %m %U:%G %n %s %T@ %C@\\n']);
  return lines.split('\n').sort().join('\n');
}
