import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLayout, type Layout } from '../../../src/quickstart/layout.ts';
import { findMade, refuseForeignFiles, writeMade } from '../../../src/quickstart/made.ts';

let layout: Layout;
beforeEach(async () => {
  layout = createLayout(await mkdtemp(join(tmpdir(), 'draupnir-made-')));
});
afterEach(() => rm(layout.dir, { recursive: true }));

describe('the record of quickstart', () => {
  it('is kept in its directory', async () => {
    const made = { users: ['draupnir'], sudoers: '', processes: {} };
    await writeMade(layout, made);
    expect(await findMade(layout)).toEqual(made);
  });

  it('is named when it is damaged', async () => {
    await writeFile(layout.made, '{"us');
    await expect(findMade(layout)).rejects.toThrow(`${layout.made} is damaged`);
  });
});

describe('a directory without a record', () => {
  it('is taken when it is empty or missing', async () => {
    await expect(refuseForeignFiles(layout)).resolves.toBeUndefined();
    await expect(refuseForeignFiles(createLayout(join(layout.dir, 'new')))).resolves.toBeUndefined();
  });

  it('is refused when it holds files, which the removal would take along', async () => {
    await writeFile(join(layout.dir, 'mine'), '');
    await expect(refuseForeignFiles(layout)).rejects.toThrow(`${layout.dir} is not empty`);
  });
});
