import { describe, expect, it } from 'vitest';
import { parseInstallations } from '../../../src/exec/installation-lines.ts';
import type { HostInstallation } from '../../../src/core/host-installation.ts';
import {
  completeHostConf,
  createHostConf,
  parseSetting,
  renumberHostConf,
} from '../../../src/quickstart/host-conf.ts';
import { createLayout } from '../../../src/quickstart/layout.ts';
import { chooseNumbers } from '../../../src/quickstart/numbers.ts';

/** As an earlier version wrote it, and the operator changed it. */
const EARLIER = `DATA_PATH=/srv/q/data
RUN_PATH=/srv/q/run
UPLOAD_USER=draupnir-upload
IMAGE_UID_BASE=3500000000
INSTANCE_UID_BASE=3000000000
# More for the big one.
INSTANCE_MEMORY_MAX=4G`;

const LAYOUT = createLayout('/srv/q', { server: 'draupnir-2', upload: 'draupnir-2-upload' });

function readAsInstallation(text: string): HostInstallation {
  const settings = text
    .split('\n')
    .filter((line) => /^[A-Z_]+=/.test(line))
    .map((line) => `setting\t${line.replace('=', '\t')}`);
  const [found] = parseInstallations(['installation\t/srv/q/scripts', ...settings, 'end']).installations;
  if (!found) throw new Error('no installation');
  return found;
}

describe('host.conf of quickstart', () => {
  it('names paths, the upload user and numbers of its own', () => {
    const text = createHostConf(LAYOUT, chooseNumbers([]));
    expect(text).toContain('\nPROGRAM=/srv/q/bin/draupnir\n');
    const found = readAsInstallation(text);
    expect(found).toMatchObject({
      dataPath: '/srv/q/data',
      runPath: '/srv/q/run',
      uploadUser: 'draupnir-2-upload',
      instanceUids: { from: 3_000_000_000, to: 3_009_999_999 },
      instancePorts: { from: 16_432, to: 16_631 },
    });
  });

  it('keeps what it says, and gets what an earlier version did not say', () => {
    const completed = completeHostConf(EARLIER, readAsInstallation(EARLIER), LAYOUT);
    expect(completed).toBe(
      `${EARLIER}\nPROGRAM=/srv/q/bin/draupnir\nUID_COUNT=500000000\nMIN_INSTANCE_PORT=16432\nMAX_INSTANCE_PORT=16632\n`,
    );
    expect(completeHostConf(completed, readAsInstallation(completed), LAYOUT)).toBe(completed);
  });

  it('keeps everything but its numbers when these are changed', () => {
    const other = readAsInstallation(EARLIER);
    const changed = renumberHostConf(
      `${EARLIER}\nMIN_INSTANCE_PORT=16432\nCGROUP=mine\n`,
      chooseNumbers([other]),
    );
    expect(changed).toBe(`DATA_PATH=/srv/q/data
RUN_PATH=/srv/q/run
UPLOAD_USER=draupnir-upload
# More for the big one.
INSTANCE_MEMORY_MAX=4G
CGROUP=mine
INSTANCE_UID_BASE=900000000
IMAGE_UID_BASE=950000000
UID_COUNT=10000000
MIN_INSTANCE_PORT=16432
MAX_INSTANCE_PORT=16632
CHAIN_PREFIX=DRAUPNIR-16432
`);
  });

  it('is read like bash reads it: the last line counts', () => {
    expect(parseSetting('A=1\n#A=2\nA="3"\n', 'A')).toBe(3);
  });
});
