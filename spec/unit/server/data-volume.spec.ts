import { describe, expect, it } from 'vitest';
import { findMissingMountOptions, listMissingMountOptions } from '../../../src/server/data-volume.ts';

const ROOT = '25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw';
const mount = (point: string, options: string): string =>
  `40 25 0:40 / ${point} ${options} shared:9 - btrfs /dev/sdb rw,nosuid,nodev,noexec`;

describe('the mount of the data directory', () => {
  it('lacks nothing when it is mounted as documented', () => {
    const table = `${ROOT}\n${mount('/draupnir', 'rw,nosuid,nodev,noexec,noatime')}\n`;
    expect(findMissingMountOptions(table, '/draupnir')).toEqual([]);
    expect(findMissingMountOptions(table, '/draupnir/below')).toEqual([]);
  });

  it('is told by its own options, not by those of its file system', () => {
    const table = `${ROOT}\n${mount('/draupnir', 'rw,nodev')}\n`;
    expect(findMissingMountOptions(table, '/draupnir')).toEqual(['nosuid', 'noexec']);
  });

  it('is the nearest one above, and no one whose name merely begins the same', () => {
    const table = [ROOT, mount('/draup', 'rw,nodev,nosuid,noexec'), mount('/draupnir/instances', 'rw')].join(
      '\n',
    );
    expect(findMissingMountOptions(table, '/draupnir')).toEqual(['nodev', 'nosuid', 'noexec']);
  });

  it('is the last one where several lie one above another', () => {
    const table = [ROOT, mount('/draupnir', 'rw'), mount('/draupnir', 'rw,nodev,nosuid,noexec')].join('\n');
    expect(findMissingMountOptions(table, '/draupnir')).toEqual([]);
  });

  it('may have a name with a space', () => {
    const table = `${ROOT}\n${mount('/my\\040disk', 'rw,nodev,nosuid,noexec')}`;
    expect(findMissingMountOptions(table, '/my disk')).toEqual([]);
  });

  it('is read from the host', async () => {
    expect(await listMissingMountOptions('/proc')).toEqual(expect.any(Array));
  });
});
