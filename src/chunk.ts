import { getRawAsset } from 'node:sea';
import { Script } from 'node:vm';

/** Assets of the executable: what only a server needs, as one CommonJS file (build.ts), and V8's code cache of it. */
export const CHUNK = 'server.cjs';
export const CHUNK_CACHE = 'server.cache';

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

let loaded: object | undefined;

/** The exports of the chunk. Executables only: from source its files are imported one by one. */
export function loadChunk(require: NodeJS.Require, filename: string, dirname: string): object {
  if (loaded) return loaded;
  const source = Buffer.from(getRawAsset(CHUNK)).toString('latin1');
  // A cache that another version of V8 has written is ignored.
  const cachedData = Buffer.from(getRawAsset(CHUNK_CACHE));
  const run = new Script(wrapChunk(source), { filename, cachedData }).runInThisContext() as Wrapper;
  const module = { exports: {} };
  run(module.exports, require, module, filename, dirname);
  loaded = module.exports;
  return loaded;
}
