import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildScriptCommand } from '../../../src/exec/script-command.ts';

const PATH = '/opt/draupnir/scripts';

describe('the command of a script', () => {
  it('asks sudo for exactly one script with its numbers, and never for a password', () => {
    expect(buildScriptCommand(PATH, 'draupnir-create-instance', [12, 3, 6000])).toEqual({
      file: 'sudo',
      args: ['-n', '--', '/opt/draupnir/scripts/draupnir-create-instance', '12', '3', '6000'],
    });
  });

  it('holds digits alone behind the name of the script, whatever it is given', () => {
    const hostile = fc.oneof(
      fc.double(),
      fc.integer(),
      fc.constantFrom(1e21, 2 ** 53, -1, 0, -0, 0.5),
      // Types say number; a bug elsewhere might not.
      fc.anything().map((value) => value as number),
    );
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 4 }), (args) => {
        let command;
        try {
          command = buildScriptCommand(PATH, 'draupnir-create-image', args);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          return;
        }
        expect(command.args.slice(0, 3)).toEqual(['-n', '--', `${PATH}/draupnir-create-image`]);
        for (const arg of command.args.slice(3)) expect(arg).toMatch(/^[1-9][0-9]{0,15}$/);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([0, -1, 1.5, NaN, Infinity, 2 ** 53])('refuses %d', (arg) => {
    expect(() => buildScriptCommand(PATH, 'draupnir-create-image', [arg])).toThrow(RangeError);
  });
});
