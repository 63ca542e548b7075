import { describe, expect, it } from 'vitest';
import { formatTable } from '../../../src/cli/table.ts';

describe('a table', () => {
  it('aligns columns, numbers to the right, and leaves no space at the ends of lines', () => {
    const rows = [
      ['3', '2017-05-01T12:00:00Z', 'ready'],
      ['12', 'never', ''],
    ];
    expect(formatTable(['ID', 'BACKED UP', 'STATUS'], rows)).toEqual([
      'ID  BACKED UP             STATUS',
      ' 3  2017-05-01T12:00:00Z  ready',
      '12  never',
    ]);
  });

  it('is its header alone without rows', () => {
    expect(formatTable(['ID', 'STATUS'], [])).toEqual(['ID  STATUS']);
  });
});
