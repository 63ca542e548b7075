/**
 * Builds `dist/draupnir`: one executable that holds the program, the bash scripts, the migrations and the sample.
 * esbuild makes five CommonJS files: what knows the version alone, and four chunks that are loaded on demand: the
 * command line, the worker of a preparation, what runs on a server, and Sentry's SDK. Reading them takes longer than node takes to start. Node's
 * single-executable support (https://nodejs.org/api/single-executable-applications.html) wraps all.
 *
 * The same sources give the same bytes, whatever the folder, time zone and umask.
 *
 * node build.ts [--out FOLDER] [--node=WORD]... [--failpoints CONTROL]
 *
 * `--node` names the Node that the executable is made of, a word at a time: one for another processor, with the emulator before it.
 * `--failpoints` builds a program for the fault tests, which asks the folder CONTROL at every failpoint what is to happen.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild';
import { describeMaterials } from './scripts/dev/bill-of-materials.ts';
import { collectLicenses } from './scripts/dev/third-party-licenses.ts';
import { ASSET_FOLDERS, listAssets } from './src/assets.ts';
import { CHUNKS, type ChunkName, getChunkAssets } from './src/chunk.ts';

const root = import.meta.dirname;
const { failpoints, ...given } = parseArgs({
  options: {
    failpoints: { type: 'string' },
    out: { type: 'string', default: join(root, 'dist') },
    node: { type: 'string', multiple: true, default: [process.execPath] },
  },
}).values;
const out = resolve(given.out);

/** Runs the Node that the executable is made of. Without a seed V8's cache of the code would differ every time. */
function runNode(...args: string[]): void {
  const [file = '', ...words] = given.node;
  execFileSync(file, [...words, '--random-seed=1', ...args], {
    cwd: out,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

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
  // What goes in is named from here on, wherever this was called.
  absWorkingDir: root,
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
    // Parts of Sentry's SDK that are never used: traces, changes to other modules, and its own log.
    __SENTRY_TRACING__: 'false',
    __SENTRY_CHANNEL_INJECTION__: 'false',
    __SENTRY_DEBUG__: 'false',
  },
  plugins: failpoints === undefined ? [] : [armed],
  // node-pg-migrate makes a loader of TypeScript when it is imported, which creates /tmp/jiti for its cache, or follows a link of that name.
  // Our migrations are SQL alone; this is the same loader without transformation and cache.
  alias: { jiti: 'jiti/native' },
  // pg asks for its optional native driver inside a try; it is not installed.
  external: ['pg-native'],
  logLevel: 'warning',
  metafile: true,
};

/** Files that are imported only when they are needed, by the chunk they go to. */
const lazy: Record<ChunkName, Set<string>> = {
  commands: new Set(),
  prepare: new Set(),
  server: new Set(),
  sentry: new Set(),
};

function nameChunk(path: string): ChunkName {
  if (path.startsWith('./prepare/')) return 'prepare';
  if (path.startsWith('./')) return 'commands';
  return path.startsWith('../sentry/') ? 'sentry' : 'server';
}

/** Puts the chunk in the place of each of them. */
const chunks: Plugin = {
  name: 'chunks',
  setup(builder) {
    builder.onResolve(
      { filter: /^\.\/(cli|prepare)\/|^\.\.\/\.\.\/(server|quickstart)\/|^\.\.\/sentry\// },
      (found) => {
        if (found.kind !== 'dynamic-import') return undefined;
        const name = nameChunk(found.path);
        lazy[name].add(join(found.resolveDir, found.path));
        return { path: name, namespace: 'chunk' };
      },
    );
    builder.onLoad({ filter: /.*/, namespace: 'chunk' }, ({ path }) => ({
      contents: `module.exports = require('./src/chunk.ts').loadChunk('${path}', require, __filename, __dirname);`,
      resolveDir: root,
    }));
  },
};
const options: BuildOptions = { ...common, plugins: [...(common.plugins ?? []), chunks] };

const metafiles: Metafile[] = [];

/** Bundles, and notes what went into it. */
async function bundle(bundleOptions: BuildOptions): Promise<void> {
  const { metafile } = await build({ ...options, ...bundleOptions });
  if (metafile) metafiles.push(metafile);
}

const main = join(out, 'draupnir.cjs');
await bundle({ entryPoints: [join(root, 'src/cli.ts')], outfile: main });

/** Writes a chunk, and what V8 makes of it, to files; their names as assets. */
async function buildChunk(name: ChunkName): Promise<Record<string, string>> {
  const [code, cache] = getChunkAssets(name);
  const [codeFile, cacheFile] = [join(out, code), join(out, cache)];
  await bundle({
    stdin: {
      contents: [...lazy[name]]
        .sort()
        .map((file) => `export * from ${JSON.stringify(file)};`)
        .join('\n'),
      resolveDir: root,
    },
    outfile: codeFile,
    // What is compiled by hand has no loader for import().
    supported: { 'dynamic-import': false },
  });
  runNode(join(root, 'scripts/dev/compile-chunk.ts'), codeFile, cacheFile);
  return { [code]: codeFile, [cache]: cacheFile };
}

const assets: Record<string, string> = {
  ...Object.fromEntries(
    ASSET_FOLDERS.flatMap((folder) => listAssets(folder))
      .filter((name) => !name.startsWith('scripts/dev/'))
      .map((name) => [name, join(root, name)]),
  ),
};
// What a chunk loads lazily is known when it has been built.
for (const name of CHUNKS) Object.assign(assets, await buildChunk(name));
writeFileSync(join(out, 'THIRD-PARTY-LICENSES'), collectLicenses(root, metafiles));
writeFileSync(join(out, 'draupnir.cdx.json'), describeMaterials(root, metafiles));
// Their paths end up in the executable: relative ones are the same everywhere.
const config = join(out, 'sea.json');
writeFileSync(
  config,
  JSON.stringify({
    main: relative(out, main),
    output: 'draupnir',
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    // The NODE_OPTIONS of a developer's shell are meant for other programs, and may keep this one from starting.
    execArgvExtension: 'none',
    assets,
  }),
);
runNode('--build-sea', 'sea.json');
chmodSync(join(out, 'draupnir'), 0o755);
rmSync(config);
