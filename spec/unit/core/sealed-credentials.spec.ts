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

  it('keep the chain that is to take their place', () => {
    const next = createFakeChain(12, ', new');
    const box = sealCredentials(sealer, 12, { ca, client, next });
    expect(openCredentials(sealer, 12, box)).toEqual({ ca, client, next });
  });

  it.each([{}, { ca, client }, { ca, client, server: {} }, 1, null])(
    'are called damaged when that chain is %j',
    (next) => {
      const box = sealer.seal(Buffer.from(JSON.stringify({ ca, client, next })), 'instance 3 credentials');
      expect(() => openCredentials(sealer, 3, box)).toThrow('credentials of instance 3 are damaged');
    },
  );

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
