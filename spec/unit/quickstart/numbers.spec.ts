import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intersect, type NumberRange } from '../../../src/core/host-installation.ts';
import { chooseNumbers, type Numbers } from '../../../src/quickstart/numbers.ts';

interface Taken {
  instanceUids: NumberRange;
  imageUids: NumberRange;
  instancePorts: NumberRange | undefined;
  apiPort: number | undefined;
}

const PACKAGE: Taken = {
  instanceUids: { from: 1_000_000_000, to: 1_999_999_999 },
  imageUids: { from: 2_000_000_000, to: 2_999_999_999 },
  instancePorts: { from: 7432, to: 8431 },
  apiPort: 8443,
};
/** One of a version that had no choice. */
const EARLIER: Taken = {
  instanceUids: { from: 3_000_000_000, to: 3_499_999_999 },
  imageUids: { from: 3_500_000_000, to: 3_999_999_999 },
  instancePorts: { from: 16_432, to: 16_631 },
  apiPort: 8443,
};

const take = (numbers: Numbers): Taken => ({
  instanceUids: { from: numbers.INSTANCE_UID_BASE, to: numbers.INSTANCE_UID_BASE + numbers.UID_COUNT - 1 },
  imageUids: { from: numbers.IMAGE_UID_BASE, to: numbers.IMAGE_UID_BASE + numbers.UID_COUNT - 1 },
  instancePorts: { from: numbers.MIN_INSTANCE_PORT, to: numbers.MAX_INSTANCE_PORT - 1 },
  apiPort: undefined,
});

const listUids = ({ instanceUids, imageUids }: Taken): NumberRange[] => [instanceUids, imageUids];

/** Chooses for `count` installations, one after the other. */
function chooseAll(first: readonly Taken[], count: number): Numbers[] {
  const chosen: Numbers[] = [];
  for (let i = 0; i < count; i++) chosen.push(chooseNumbers([...first, ...chosen.map(take)]));
  return chosen;
}

describe('the numbers of a new installation', () => {
  it('leave out ports on which something listens, such as an instance of a renumbered installation', () => {
    expect(chooseNumbers([], [80, 16_440])).toMatchObject({
      MIN_INSTANCE_PORT: 16_632,
      CGROUP: 'draupnir-16632',
    });
  });

  it('are the usual ones on a host of its own', () => {
    expect(chooseNumbers([])).toEqual({
      INSTANCE_UID_BASE: 3_000_000_000,
      IMAGE_UID_BASE: 3_500_000_000,
      UID_COUNT: 10_000_000,
      MIN_INSTANCE_PORT: 16_432,
      MAX_INSTANCE_PORT: 16_632,
      CGROUP: 'draupnir-16432',
      CHAIN_PREFIX: 'DRAUPNIR-16432',
    });
  });

  it('are the next ones beside another', () => {
    expect(chooseAll([], 2)[1]).toMatchObject({
      INSTANCE_UID_BASE: 3_010_000_000,
      IMAGE_UID_BASE: 3_510_000_000,
      MIN_INSTANCE_PORT: 16_632,
      CHAIN_PREFIX: 'DRAUPNIR-16632',
    });
  });

  it('keep away from an installation of an earlier version, which takes all of the usual ones', () => {
    expect(chooseNumbers([EARLIER])).toMatchObject({
      INSTANCE_UID_BASE: 900_000_000,
      IMAGE_UID_BASE: 950_000_000,
      MIN_INSTANCE_PORT: 16_632,
    });
  });

  it('are free again when an installation is gone', () => {
    const [, second] = chooseAll([], 2);
    expect(second && chooseNumbers([take(second)]).INSTANCE_UID_BASE).toBe(3_000_000_000);
  });

  it('never meet those of others, of the package, or each other', () => {
    const range = (min: number, max: number) =>
      fc
        .tuple(fc.integer({ min, max }), fc.integer({ min: 0, max: (max - min) / 40 }))
        .map(([from, length]) => ({ from, to: from + length }));
    const other = fc.record({
      instanceUids: range(800_000_000, 4_100_000_000),
      imageUids: range(800_000_000, 4_100_000_000),
      instancePorts: fc.option(range(16_000, 18_000), { nil: undefined }),
      apiPort: fc.option(fc.integer({ min: 16_000, max: 19_000 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(other, { maxLength: 5 }), (others) => {
        const chosen = take(chooseNumbers(others));
        const uids = [PACKAGE, ...others].flatMap(listUids);
        expect(
          listUids(chosen)
            .flatMap((own) => uids.map((each) => intersect(own, each)))
            .filter(Boolean),
        ).toEqual([]);
        const ports = [PACKAGE, ...others].flatMap(({ instancePorts, apiPort }) => [
          ...(instancePorts ? [instancePorts] : []),
          ...(apiPort === undefined ? [] : [{ from: apiPort, to: apiPort }]),
        ]);
        const own = chosen.instancePorts ?? { from: NaN, to: NaN };
        expect(ports.map((each) => intersect(own, each)).filter(Boolean)).toEqual([]);
        expect(chosen.instanceUids.to).toBeLessThan(chosen.imageUids.from);
      }),
    );
  });

  it('run out with a reason', () => {
    expect(() => chooseAll([], 11)).toThrow('use all ports from 16432 to 18431');
    const everything = { ...EARLIER, instanceUids: { from: 0, to: 4_294_967_294 } };
    expect(() => chooseNumbers([everything])).toThrow('use all numeric users that quickstart takes');
  });
});
