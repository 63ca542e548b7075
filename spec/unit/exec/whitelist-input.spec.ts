import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildWhitelistInput } from '../../../src/exec/whitelist-input.ts';
import { anyCharacter } from '../../support/any-character.ts';

const rule = (userEmail: string, address = '192.0.2.7') => ({ address, port: 7432, userEmail });

describe('the input of the firewall script', () => {
  it('counts the rules and ends visibly, so that a part of it is none', () => {
    expect(buildWhitelistInput([])).toBe('rules 0\nend\n');
    expect(buildWhitelistInput([rule('ada@example.com'), rule('upload', '2001:db8::7')])).toBe(
      'rules 2\n192.0.2.7 7432 ada@example.com\n2001:db8::7 7432 upload\nend\n',
    );
  });

  it('holds a line of safe characters for each rule, whatever owners are called', () => {
    const email = fc.oneof(fc.string(), fc.string({ unit: anyCharacter, maxLength: 600 }), fc.emailAddress());
    fc.assert(
      fc.property(fc.array(email), (emails) => {
        const lines = buildWhitelistInput(emails.map((text) => rule(text))).split('\n');
        expect(lines).toHaveLength(emails.length + 3);
        for (const line of lines.slice(1, -2)) {
          expect(line).toMatch(/^192\.0\.2\.7 7432 [A-Za-z0-9._+@-]{1,200}$/);
        }
      }),
    );
  });

  it('cuts an owner to what the comment of a rule can hold', () => {
    const email = `${'a'.repeat(300)}@example.com`;
    expect(buildWhitelistInput([rule(email)])).toBe(`rules 1\n192.0.2.7 7432 ${'a'.repeat(200)}\nend\n`);
  });

  it.each([
    ['ada.o+x_y-z@example.com', 'ada.o+x_y-z@example.com'],
    [`o'brien"@example.com`, 'o_brien_@example.com'],
    ['a b\n-j ACCEPT', 'a_b_-j_ACCEPT'],
    ['', '_'],
  ])('shows %j as %s', (email, shown) => {
    expect(buildWhitelistInput([rule(email)])).toBe(`rules 1\n192.0.2.7 7432 ${shown}\nend\n`);
  });

  it.each([
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:DB8:0:0::7', '2001:db8::7'],
    ['::192.0.2.7', '::c000:207'],
  ])('writes the address %s as %s', (address, written) => {
    expect(buildWhitelistInput([rule('ada', address)])).toContain(`\n${written} 7432 ada\n`);
  });
});
