import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseInstallations } from '../../../src/exec/installation-lines.ts';

/** What the script prints for a package and a quickstart of an earlier version. */
const LINES = `rule	draupnir	/usr/lib/draupnir/scripts
rule	draupnir	/gone/scripts
installation	/usr/lib/draupnir/scripts
setting	DATA_PATH	/draupnir
setting	RUN_PATH	/run/draupnir
setting	UPLOAD_USER	draupnir-upload
setting	IMAGE_UID_BASE	2000000000
setting	INSTANCE_UID_BASE	1000000000
setting	MIN_INSTANCE_PORT	7432
setting	MAX_INSTANCE_PORT	8432
setting	UID_COUNT	1000000000
setting	min_instance_port	7500
setting	max_instance_port	7600
setting	chains	DRAUPNIR
installation	/var/lib/draupnir-quickstart/scripts
setting	DATA_PATH	/var/lib/draupnir-quickstart/data
setting	UPLOAD_USER	draupnir-upload
setting	IMAGE_UID_BASE	1
setting	IMAGE_UID_BASE	3500000000
setting	INSTANCE_UID_BASE	3000000000
setting	api_port	8443
setting	chains	none
end`.split('\n');

const read = (...settings: string[]) =>
  parseInstallations(['installation\t/s', ...settings.map((each) => `setting\t${each}`), 'end'])
    .installations[0];

describe('the list of installations', () => {
  it('is read, with the ports of the server itself and the last of what a file sets twice', () => {
    expect(parseInstallations(LINES)).toEqual({
      rules: [
        { user: 'draupnir', scripts: '/usr/lib/draupnir/scripts' },
        { user: 'draupnir', scripts: '/gone/scripts' },
      ],
      installations: [
        {
          scripts: '/usr/lib/draupnir/scripts',
          dataPath: '/draupnir',
          runPath: '/run/draupnir',
          uploadUser: 'draupnir-upload',
          instanceUids: { from: 1_000_000_000, to: 1_999_999_999 },
          imageUids: { from: 2_000_000_000, to: 2_999_999_999 },
          instancePorts: { from: 7500, to: 7599 },
          apiPort: undefined,
          chainPrefix: 'DRAUPNIR',
        },
        {
          scripts: '/var/lib/draupnir-quickstart/scripts',
          dataPath: '/var/lib/draupnir-quickstart/data',
          runPath: '',
          uploadUser: 'draupnir-upload',
          // Without UID_COUNT the two would meet.
          instanceUids: { from: 3_000_000_000, to: 3_499_999_999 },
          imageUids: { from: 3_500_000_000, to: 3_999_999_999 },
          instancePorts: undefined,
          apiPort: 8443,
          chainPrefix: undefined,
        },
      ],
    });
  });

  it('ends ranges at the highest user', () => {
    const found = read('INSTANCE_UID_BASE\t4294967000', 'IMAGE_UID_BASE\t4000000000');
    expect(found?.instanceUids).toEqual({ from: 4_294_967_000, to: 4_294_967_294 });
    expect(found?.imageUids).toEqual({ from: 4_000_000_000, to: 4_000_000_294 });
  });

  it('leaves out one that has no numbers, as while it is being removed', () => {
    expect(read('DATA_PATH\t/d')).toBeUndefined();
    expect(read('IMAGE_UID_BASE\tx', 'INSTANCE_UID_BASE\t1')).toBeUndefined();
  });

  it('is refused when it is cut anywhere', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LINES.length - 1 }), (length) => {
        expect(() => parseInstallations(LINES.slice(0, length))).toThrow('cut short');
      }),
    );
  });
});
