import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Sealer } from '../core/instance.ts';
import type { Secret } from '../core/secret.ts';

const ALGORITHM = 'aes-256-gcm';
export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = 1;

/** AES-256-GCM (NIST SP 800-38D): version byte, nonce, tag, ciphertext; the context is authenticated, not stored. */
export class SealedBox implements Sealer {
  readonly #key: Secret<Buffer>;

  constructor(key: Secret<Buffer>) {
    if (key.reveal().length !== KEY_BYTES) throw new RangeError(`the key must have ${KEY_BYTES} bytes`);
    this.#key = key;
  }

  seal(plain: Buffer, context: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key.reveal(), nonce);
    cipher.setAAD(Buffer.from(context));
    const body = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([Buffer.from([VERSION]), nonce, cipher.getAuthTag(), body]);
  }

  unseal(box: Buffer, context: string): Buffer {
    if (box[0] !== VERSION || box.length < 1 + NONCE_BYTES + TAG_BYTES) {
      throw new Error('the sealed value is damaged');
    }
    const nonce = box.subarray(1, 1 + NONCE_BYTES);
    const tag = box.subarray(1 + NONCE_BYTES, 1 + NONCE_BYTES + TAG_BYTES);
    const decipher = createDecipheriv(ALGORITHM, this.#key.reveal(), nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(tag);
    const body = box.subarray(1 + NONCE_BYTES + TAG_BYTES);
    return Buffer.concat([decipher.update(body), decipher.final()]);
  }
}
