import { getRawAsset } from 'node:sea';
import { Script } from 'node:vm';

/** What the executable loads on demand: CommonJS files (build.ts). Each may load the ones after it. */
export const CHUNKS = ['commands', 'prepare', 'server', 'sentry'] as const;
export type ChunkName = (typeof CHUNKS)[number];

/** Assets of the executable: the code of a chunk, and V8's cache of it. */
export function getChunkAssets(name: ChunkName): [code: string, cache: string] {
  return [`${name}.cjs`, `${name}.cache`];
}

/** The text that is compiled. esbuild writes ASCII alone. */
export function wrapChunk(source: string): string {
  return `(function (exports, require, module, __filename, __dirname) {${source}\n})`;
}

type Wrapper = (
  exports: object,
  require: NodeJS.Require,
  module: { exports: object },
  filename: string,
  dirname: string,
) => void;

const loaded = new Map<ChunkName, object>();

/** The exports of a chunk. Executables only: from source its files are imported one by one. */
export function loadChunk(
  name: ChunkName,
  require: NodeJS.Require,
  filename: string,
  dirname: string,
): object {
  const found = loaded.get(name);
  if (found) return found;
  const [code, cache] = getChunkAssets(name);
  const source = Buffer.from(getRawAsset(code)).toString('latin1');
  // A cache that another version of V8 has written is ignored.
  const cachedData = Buffer.from(getRawAsset(cache));
  const run = new Script(wrapChunk(source), { filename, cachedData }).runInThisContext() as Wrapper;
  const module = { exports: {} };
  run(module.exports, require, module, filename, dirname);
  loaded.set(name, module.exports);
  return module.exports;
}
