import { describe, expect, it } from 'vitest';
import { sizeBuffers } from '../../../src/prepare/postgres/configuration.ts';

const GIB = 1_048_576;

describe('shared_buffers of a preparation', () => {
  it.each([
    ['a quarter of its limit', 4 * GIB, 64 * GIB, 1024],
    ['an eighth of a small host', 4 * GIB, 8 * GIB, 1024],
    ['an eighth of a smaller host', 4 * GIB, 4 * GIB, 512],
    ['never less than 32 MB', 65_536, 64 * GIB, 32],
    ['never more than 2 GB', 64 * GIB, 256 * GIB, 2048],
  ])('are %s', (_what, memoryKib, hostKib, expected) => {
    expect(sizeBuffers(memoryKib, hostKib)).toBe(expected);
  });
});
