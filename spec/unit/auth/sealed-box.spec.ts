import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KEY_BYTES, SealedBox } from '../../../src/auth/sealed-box.ts';
import { Secret } from '../../../src/core/secret.ts';

const key = new Secret(randomBytes(KEY_BYTES));
const box = new SealedBox(key);
const plain = Buffer.from('a client key');
const CONTEXT = 'instance 12 credentials';

describe('SealedBox', () => {
  it('gives back what it sealed, for the same context', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 500 }),
        fc.string({ unit: fc.constantFrom('a', ' ', 'ü', '🐘', '\0') }),
        (bytes, context) => {
          const sealed = box.seal(Buffer.from(bytes), context);
          expect(box.unseal(sealed, context)).toEqual(Buffer.from(bytes));
        },
      ),
    );
  });

  it('shows nothing of the content, and never seals twice alike', () => {
    const [one, two] = [box.seal(plain, CONTEXT), box.seal(plain, CONTEXT)];
    expect(one.includes(plain)).toBe(false);
    expect(one.equals(two)).toBe(false);
    // Version, nonce and tag; the context is not stored.
    expect(one).toHaveLength(1 + 12 + 16 + plain.length);
  });

  it('does not open when any one bit was changed', () => {
    const sealed = box.seal(plain, CONTEXT);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(() => box.unseal(changed, CONTEXT), `bit ${bit}`).toThrow();
    }
  });

  it('does not open when it was cut short or made longer', () => {
    const sealed = box.seal(plain, CONTEXT);
    for (let length = 0; length < sealed.length; length++) {
      expect(() => box.unseal(sealed.subarray(0, length), CONTEXT), `${length} bytes`).toThrow();
    }
    expect(() => box.unseal(Buffer.concat([sealed, Buffer.of(0)]), CONTEXT)).toThrow();
  });

  it('does not open for another context', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, two) => {
        fc.pre(one !== two);
        expect(() => box.unseal(box.seal(plain, one), two)).toThrow();
      }),
    );
  });

  it('does not open with another key', () => {
    const other = new SealedBox(new Secret(randomBytes(KEY_BYTES)));
    expect(() => other.unseal(box.seal(plain, CONTEXT), CONTEXT)).toThrow();
  });

  it.each([0, 16, 31, 33])('refuses a key of %i bytes', (length) => {
    expect(() => new SealedBox(new Secret(Buffer.alloc(length)))).toThrow('the key must have 32 bytes');
  });
});
