import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';

const SCRIPTS = join(import.meta.dirname, '../../../scripts/dev');
const EXECUTABLE = "printf '#!/bin/bash\\necho 5.4.0\\n'";

let root = '';

function write(name: string, content: string): void {
  const file = join(root, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content, { mode: 0o700 });
}

/** Replaces a program that the release calls by lines of bash. */
const stub = (name: string, ...lines: string[]): void =>
  write(name, ['#!/bin/bash', 'set -e', ...lines, ''].join('\n'));

/** Node of a processor writes `executable`, its environment, and the bill of materials. */
const stubNode = (executable: string): void =>
  stub(
    'bin/node',
    'mkdir -p "$3"',
    `${executable} >"$3/draupnir"`,
    'chmod 0755 "$3/draupnir"',
    'env >"$3/env"',
    'printf parts >"$3/draupnir.cdx.json"',
  );

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'draupnir-release-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  write('DRAUPNIR_VERSION', '5.4.0\n');
  write('package.json', '{\n  "version": "5.4.0",\n}\n');
  write('CHANGELOG.md', '# Changelog\n\n## [5.4.0] - unreleased\n');
  mkdirSync(join(root, 'scripts/dev'), { recursive: true });
  for (const name of ['release', 'check-version']) {
    copyFileSync(join(SCRIPTS, name), join(root, 'scripts/dev', name));
  }
  stub('scripts/dev/fetch-foreign', `printf '%s\\n' emulate "node of $1"`);
  stub(
    'scripts/dev/build-deb',
    'cat "$DRAUPNIR_PROGRAM/draupnir" >"$DRAUPNIR_DEB_DIRECTORY/draupnir_5.4.0_$DRAUPNIR_DEB_ARCH.deb"',
  );
  stub('bin/dpkg', 'echo amd64');
  stub('bin/git', 'if [[ $3 == log ]]; then echo 1700000000; fi');
  stub('bin/emulate', 'exec "$@"');
  stubNode(EXECUTABLE);
});

const release = (env: NodeJS.ProcessEnv = {}) =>
  execa(join(root, 'scripts/dev/release'), [], {
    env: { PATH: `${join(root, 'bin')}:/usr/bin:/bin`, ...env },
    extendEnv: false,
    reject: false,
  });

const readReleased = (name: string): string => readFileSync(join(root, 'dist/release', name), 'utf8');

describe('the release', () => {
  it('has an executable and a package for each processor, one bill of materials, and checksums', async () => {
    const { exitCode, stdout } = await release();
    expect(exitCode).toBe(0);
    const names = [
      'draupnir_5.4.0.cdx.json',
      'draupnir_5.4.0_amd64.deb',
      'draupnir_5.4.0_arm64.deb',
      'draupnir_5.4.0_linux_amd64',
      'draupnir_5.4.0_linux_arm64',
    ];
    expect(readdirSync(join(root, 'dist/release')).sort()).toEqual(['SHA256SUMS', ...names]);
    expect(readReleased('SHA256SUMS')).toBe(`${stdout}\n`);
    expect(stdout.split('\n').map((line) => line.replace(/^[0-9a-f]{64} {2}/, ''))).toEqual(names);
  });

  it('is built in the same environment, whatever the caller has set', async () => {
    await release({
      TZ: 'Asia/Tokyo',
      LC_ALL: 'de_DE.UTF-8',
      NODE_OPTIONS: '--max-old-space-size=3000',
      DEB_BUILD_OPTIONS: 'noautodbgsym',
      DPKG_DEB_COMPRESSOR_TYPE: 'none',
    });
    const env = readFileSync(join(root, 'tmp/release/arm64/env'), 'utf8').split('\n');
    expect(env).toEqual(expect.arrayContaining(['TZ=UTC', 'LC_ALL=C.UTF-8', 'SOURCE_DATE_EPOCH=1700000000']));
    expect(env.filter((line) => /^(NODE|DEB|DPKG)_/.test(line))).toEqual([]);
  });

  it('is refused when the tree has changes', async () => {
    stub('bin/git', 'if [[ $3 == status ]]; then echo " M src/cli.ts"; else echo 1700000000; fi');
    expect(await release()).toMatchObject({
      exitCode: 65,
      stderr: 'release: the tree is not clean: commit or remove\n M src/cli.ts',
    });
  });

  it.each([
    ['DRAUPNIR_VERSION', '5.4.1\n'],
    ['package.json', '{\n  "version": "5.4.1",\n}\n'],
    ['CHANGELOG.md', '# Changelog\n\n## [5.4.0-rc.1] - unreleased\n'],
    ['CHANGELOG.md', '# Changelog\n\n## [5.5.0] - unreleased\n\n## [5.4.0]\n'],
  ])('is refused when %s names another version', async (name, content) => {
    write(name, content);
    expect(await release()).toMatchObject({
      exitCode: 65,
      stderr: 'release: DRAUPNIR_VERSION, package.json, and the first heading of CHANGELOG.md differ',
    });
  });

  it.each([
    ['Node for another processor', () => stub('scripts/dev/fetch-foreign', 'exit 69')],
    ['an executable', () => stub('bin/node', 'exit 1')],
    ['a package', () => stub('scripts/dev/build-deb', '[[ $DRAUPNIR_DEB_ARCH == amd64 ]]')],
    ['an executable that runs', () => stub('bin/emulate', 'exit 132')],
    ['an executable of this version', () => stubNode("printf '#!/bin/bash\\necho 5.3.0\\n'")],
  ])('fails without %s', async (_what, damage) => {
    damage();
    expect((await release()).exitCode).not.toBe(0);
    expect(() => readReleased('SHA256SUMS')).toThrow('ENOENT');
  });
});
