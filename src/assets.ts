import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { getAssetKeys, getRawAsset, isSea } from 'node:sea';

/** Folders of the repository that travel inside the executable (build.ts embeds them under these names). */
export const ASSET_FOLDERS = ['migrations', 'scripts', 'sample'] as const;

/** Names of the embedded files below `folder`, such as `migrations/1_initial.sql`, sorted. */
export function listAssets(folder: (typeof ASSET_FOLDERS)[number]): string[] {
  if (isSea()) {
    return getAssetKeys()
      .filter((key) => key.startsWith(`${folder}/`))
      .sort();
  }
  const root = sourceRoot();
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

/** Content of one embedded file. Throws when there is none of that name. */
export function readAsset(name: string): Buffer {
  return isSea() ? Buffer.from(getRawAsset(name)) : readFileSync(join(sourceRoot(), name));
}

/** From source the assets are the repository's own folders, so that no build step stands between edit and run. */
function sourceRoot(): string {
  return join(import.meta.dirname, '..');
}
