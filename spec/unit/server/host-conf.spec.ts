import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkHostConf, findHostSetting, listHostConfProblems } from '../../../src/server/host-conf.ts';

let scriptsPath = '';
beforeEach(() => {
  scriptsPath = mkdtempSync(join(tmpdir(), 'draupnir-host-conf-'));
});
afterEach(() => rmSync(scriptsPath, { recursive: true, force: true }));

const check = (dataPath: string, enableIpWhitelisting = false): Promise<void> =>
  checkHostConf(
    { scriptsPath, dataPath, enableIpWhitelisting, minInstancePort: 7432, maxInstancePort: 8432 },
    'config.toml',
  );
const write = (text: string): void => writeFileSync(join(scriptsPath, 'host.conf'), text);

describe('host.conf', () => {
  it('is fine when it names the same data directory', async () => {
    write('# paths\nRUN_PATH=/run/draupnir\nDATA_PATH=/data\nUPLOAD_USER=upload\n');
    await expect(check('/data')).resolves.toBeUndefined();
  });

  it.each([
    ['another data directory', 'DATA_PATH=/other\n', '/other'],
    ['one that only begins the same', 'DATA_PATH=/data2\n', '/data2'],
    ['none', '#DATA_PATH=/data\nRUN_PATH=/run\n', 'missing'],
  ])('is refused when it names %s', async (_, text, found) => {
    write(text);
    await expect(check('/data')).rejects.toMatchObject({
      name: 'ConfigError',
      message: `config.toml: data_path: must be the DATA_PATH of ${scriptsPath}/host.conf, which is ${found} (found /data)`,
    });
  });

  it('must name the same ports when the firewall is to guard them, and only then', async () => {
    write('DATA_PATH=/data\nMIN_INSTANCE_PORT=7432\nMAX_INSTANCE_PORT=8432\n');
    await expect(check('/data', true)).resolves.toBeUndefined();
    write('DATA_PATH=/data\nMIN_INSTANCE_PORT=1024\n');
    await expect(check('/data')).resolves.toBeUndefined();
    await expect(check('/data', true)).rejects.toMatchObject({
      name: 'ConfigError',
      lines: [
        `config.toml: min_instance_port: must be the MIN_INSTANCE_PORT of ${scriptsPath}/host.conf, which is 1024 (found 7432)`,
        `config.toml: max_instance_port: must be the MAX_INSTANCE_PORT of ${scriptsPath}/host.conf, which is missing (found 8432)`,
      ],
    });
  });

  it('is compared with what could be read of the configuration', () => {
    const conf = { file: 'host.conf', text: 'DATA_PATH=/data\n' };
    expect(
      listHostConfProblems({ enableIpWhitelisting: true, maxInstancePort: 2000 }, conf, 'config.toml'),
    ).toEqual([
      {
        file: 'config.toml',
        path: 'max_instance_port',
        message: 'must be the MAX_INSTANCE_PORT of host.conf, which is missing',
        found: '2000',
      },
    ]);
  });

  it.each([
    ['the last setting', 'A=1\nA=2\n', '2'],
    ['a quoted one', 'A="x y"\n', 'x y'],
    ['no comment', '#A=1\nAA=1\n', undefined],
  ])('is read as bash reads it: %s', (_what, text, value) => {
    expect(findHostSetting({ file: 'host.conf', text }, 'A')).toBe(value);
  });

  it('is refused when it cannot be read, with a hint', async () => {
    await expect(check('/data')).rejects.toMatchObject({
      name: 'ConfigError',
      message: `config.toml: scripts_path: ${scriptsPath}/host.conf cannot be read: install the scripts there, with a host.conf beside them`,
      cause: { code: 'ENOENT' },
    });
  });
});
