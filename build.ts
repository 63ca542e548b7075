/**
 * Builds `dist/draupnir`: one executable that holds the program, the bash scripts, the migrations and the sample.
 * esbuild makes two CommonJS files: the command line, and a chunk of what runs on a server, which the command line loads only when
 * asked for: reading it takes longer than node takes to start. Node's single-executable support
 * (https://nodejs.org/api/single-executable-applications.html) wraps both.
 *
 * `node build.ts --failpoints CONTROL OUT` builds one for the fault tests into the folder OUT: it asks the folder CONTROL at
 * every failpoint what is to happen.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { build, type BuildOptions, type Plugin } from 'esbuild';
import { ASSET_FOLDERS, listAssets } from './src/assets.ts';
import { CHUNK, CHUNK_CACHE, wrapChunk } from './src/chunk.ts';

const root = import.meta.dirname;
const [mode, control, faultsOut] = process.argv.slice(2);
const failpoints = mode === '--failpoints' && control !== undefined ? control : undefined;
const out = failpoints === undefined ? join(root, 'dist') : (faultsOut ?? '');

/** Puts the failpoints of the tests in the place of the module that has none. */
const armed: Plugin = {
  name: 'failpoints',
  setup(bundle) {
    bundle.onResolve({ filter: /\/failpoints\.ts$/ }, () => ({
      path: join(root, 'spec/e2e/faults/support/server-failpoints.ts'),
    }));
  },
};

if (failpoints === undefined) rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const common: BuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  minifySyntax: true,
  legalComments: 'none',
  // Dependencies make paths of import.meta.url when they are loaded: it must be a URL there too.
  banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
  define: {
    'import.meta.dirname': '__dirname',
    'import.meta.url': 'importMetaUrl',
    FAILPOINTS: JSON.stringify(failpoints ?? ''),
  },
  plugins: failpoints === undefined ? [] : [armed],
  // pg asks for its optional native driver inside a try; it is not installed.
  external: ['pg-native'],
  logLevel: 'warning',
};

/** Files that the command line imports only when they are needed, and that only a server needs. */
const lazy = new Set<string>();

/** Puts the chunk in the place of each of them. */
const chunk: Plugin = {
  name: 'chunk',
  setup(builder) {
    builder.onResolve({ filter: /^\.\.\/\.\.\/(server|quickstart)\// }, ({ path, resolveDir, kind }) => {
      if (kind !== 'dynamic-import') return undefined;
      lazy.add(join(resolveDir, path));
      return { path: 'chunk', namespace: 'chunk' };
    });
    builder.onLoad({ filter: /.*/, namespace: 'chunk' }, () => ({
      contents: `module.exports = require('./src/chunk.ts').loadChunk(require, __filename, __dirname);`,
      resolveDir: root,
    }));
  },
};

const main = join(out, 'draupnir.cjs');
const plugins = [...(common.plugins ?? []), chunk];
await build({ ...common, entryPoints: [join(root, 'src/cli.ts')], outfile: main, plugins });
const contents = [...lazy].map((file) => `export * from ${JSON.stringify(file)};`).join('\n');
const chunkFile = join(out, CHUNK);
await build({
  ...common,
  stdin: { contents, resolveDir: root },
  outfile: chunkFile,
  // What is compiled by hand has no loader for import().
  supported: { 'dynamic-import': false },
});
const cacheFile = join(out, CHUNK_CACHE);
writeFileSync(cacheFile, new Script(wrapChunk(readFileSync(chunkFile, 'latin1'))).createCachedData());

const assets = {
  ...Object.fromEntries(
    ASSET_FOLDERS.flatMap((folder) => listAssets(folder))
      .filter((name) => !name.startsWith('scripts/dev/'))
      .map((name) => [name, join(root, name)]),
  ),
  [CHUNK]: chunkFile,
  [CHUNK_CACHE]: cacheFile,
};
const config = join(out, 'sea.json');
writeFileSync(
  config,
  JSON.stringify({
    main,
    output: join(out, 'draupnir'),
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    assets,
  }),
);
execFileSync(process.execPath, ['--build-sea', config], { stdio: ['ignore', 'ignore', 'inherit'] });
rmSync(config);
