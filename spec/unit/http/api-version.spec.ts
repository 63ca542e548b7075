import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptsVersion } from '../../../src/http/api-version.ts';

const part = fc.nat({ max: 30 });
const version = fc.tuple(part, part, part);
const format = (parts: readonly number[]): string => parts.join('.');

describe('the exact version check', () => {
  it('takes the same text and nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(version.map(format), fc.string()), fc.string(), (server, other) => {
        expect(acceptsVersion('exact', server, server)).toBe(true);
        expect(acceptsVersion('exact', other, server)).toBe(other === server);
      }),
    );
  });
});

describe('the compatible version check', () => {
  it('takes the same major with a minor that is not newer, whatever the patch', () => {
    fc.assert(
      fc.property(version, version, (client, server) => {
        const expected = client[0] === server[0] && client[1] <= server[1];
        expect(acceptsVersion('compatible', format(client), format(server))).toBe(expected);
      }),
      // Majors are often the same only when there are few of them.
      {
        examples: [
          [
            [5, 3, 6],
            [5, 4, 0],
          ],
          [
            [5, 10, 0],
            [5, 9, 0],
          ],
          [
            [5, 9, 0],
            [5, 10, 0],
          ],
        ],
      },
    );
    fc.assert(
      fc.property(version, part, part, (server, minor, patch) => {
        const client = format([server[0], minor, patch]);
        expect(acceptsVersion('compatible', client, format(server))).toBe(minor <= server[1]);
      }),
    );
  });

  it('takes nothing that is not three numbers', () => {
    const three = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/;
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('0', '5', '9', '.', '-', 'v', ' ', '\n', '٥') }),
        (text) => {
          if (!three.test(text)) expect(acceptsVersion('compatible', text, '5.99.0')).toBe(false);
        },
      ),
      { numRuns: 1000 },
    );
    for (const text of [
      '',
      '5',
      '5.4',
      '5.4.0.1',
      'v5.4.0',
      '5.04.0',
      ' 5.4.0',
      '5.4.0\n',
      '5.4.0-rc1',
      '5.4.0, 5.4.0',
    ]) {
      expect(acceptsVersion('compatible', text, '5.4.0')).toBe(false);
    }
  });
});
