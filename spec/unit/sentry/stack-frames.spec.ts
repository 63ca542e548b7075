import { describe, expect, it } from 'vitest';
import { readFrames } from '../../../src/sentry/stack-frames.ts';

function createError(message: string, stack: string): Error {
  return Object.assign(new Error(message), { stack });
}

describe('the frames of a stack', () => {
  it('are read oldest first, without the folder of the installation', () => {
    const stack = `TypeError [ERR_X]: no
    at Loop.run (/home/ada/draupnir/src/jobs/loop.ts:65:7)
    at async Promise.all (index 0)
    at new Pool (file:///home/ada/draupnir/node_modules/@x/pool/index.js:1:2)
    at node:internal/process/task_queues:105:5
    at run (/usr/bin/draupnir:9:1)`;
    const shown = readFrames(createError('no', stack)).map((frame) => [
      ...[frame.function, frame.filename, frame.module],
      ...[frame.lineno, frame.in_app],
    ]);
    expect(shown).toEqual([
      ['run', 'draupnir', 'draupnir', 9, true],
      ['<anonymous>', 'node:internal/process/task_queues', 'node', 105, false],
      ['new Pool', '@x/pool/index.js', '@x/pool', 1, false],
      ['async Promise.all', '<unknown>', '<unknown>', undefined, false],
      ['Loop.run', 'src/jobs/loop.ts', 'draupnir', 65, true],
    ]);
  });

  it.each([
    ['a message that changed since', 'other', 'Error: secret\n    at secret (x:1:1)\n    at run (y:1:1)'],
    ['a message that is gone', '', 'Error: secret\n    at secret (x:1:1)\n    at run (y:1:1)'],
    ['lines that are no frames', 'no', 'Error: no\nsecret\n    at run (y:1:1)'],
    ['a header of another form', 'no', 'secret@example.com no\n    at run (y:1:1)'],
  ])('are left out with %s', (_what, message, stack) => {
    expect(readFrames(createError(message, stack))).toEqual([]);
  });

  it('do not begin within a message that looks like them', () => {
    const message = 'no\n    at secret (x:1:1)';
    expect(readFrames(createError(message, `Error: ${message}\n    at run (/y:1:1)`))).toMatchObject([
      { function: 'run' },
    ]);
  });
});
