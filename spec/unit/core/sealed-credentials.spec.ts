import { describe, expect, it } from 'vitest';
import { openCredentials, sealCredentials } from '../../../src/core/sealed-credentials.ts';
import { createFakeChain, FakeSealer } from '../fakes/world.ts';

const sealer = new FakeSealer();
const { ca, client } = createFakeChain(12);

describe('sealed credentials', () => {
  it('open for the instance they were sealed for', () => {
    const box = sealCredentials(sealer, 12, { ca, client });
    expect(openCredentials(sealer, 12, box)).toEqual({ ca, client });
  });

  it('do not open for another instance', () => {
    const box = sealCredentials(sealer, 12, { ca, client });
    expect(() => openCredentials(sealer, 1, box)).toThrow('sealed for something else');
  });

  it.each(['null', '[]', '"text"', '{}', '{"ca":{"certificate":"c","key":"k"}}', '{"ca":1,"client":2}'])(
    'are called damaged when the box holds %s',
    (content) => {
      const box = sealer.seal(Buffer.from(content), 'instance 3 credentials');
      expect(() => openCredentials(sealer, 3, box)).toThrow('credentials of instance 3 are damaged');
    },
  );
});
