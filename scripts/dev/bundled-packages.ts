import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

/** What the manifest of an npm package says of it. */
export interface Manifest {
  name: string;
  version: string;
  license?: string;
  author?: string | { name?: string };
}

/** Folders of the npm packages that went into the bundles, sorted, below `node_modules`. */
export function listBundledPackages(metafiles: readonly Metafile[]): string[] {
  return [...new Set(metafiles.flatMap((each) => Object.keys(each.inputs)).flatMap(findPackage))].sort();
}

/** Reads the manifest of a package in that folder. */
export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** The folder of the package that a bundled file belongs to: none for ours. */
function findPackage(file: string): string[] {
  const found = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file);
  return found ? [found[0]] : [];
}
