import { sep } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createLayout } from '../../../src/quickstart/layout.ts';

const layout = createLayout('/srv/quickstart');

describe('the layout of a quickstart', () => {
  it('keeps what root opens out of the directories of other users (I15)', () => {
    const { dir, serverUser, uploadUser, metadata, state, source, data, run, ...others } = layout;
    expect([serverUser, uploadUser]).toEqual(['draupnir', 'draupnir-upload']);
    const foreign = [metadata, state, source, data, run];
    const inForeign = Object.entries(others).filter(([, path]) =>
      foreign.some((directory) => path.startsWith(directory + sep)),
    );
    expect(inForeign).toEqual([]);
    expect(Object.values(others).every((path) => path.startsWith(dir + sep))).toBe(true);
  });

  it.each(['relative', '/srv/../etc', '/srv/a b', '/srv/x;id', '/', `/${'x'.repeat(60)}`])(
    'refuses %s',
    (dir) => {
      expect(() => createLayout(dir)).toThrow('must');
    },
  );
});
