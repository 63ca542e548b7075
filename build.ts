/**
 * Builds `dist/draupnir`: one executable that holds the program, the bash scripts, the migrations and the sample.
 * esbuild makes one CommonJS file in which `import()` marks what is loaded only when asked for; Node's
 * single-executable support (https://nodejs.org/api/single-executable-applications.html) wraps it.
 *
 * `node build.ts --failpoints CONTROL OUT` builds one for the fault tests into the folder OUT: it asks the folder CONTROL at
 * every failpoint what is to happen.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { ASSET_FOLDERS, listAssets } from './src/assets.ts';

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

await build({
  entryPoints: [join(root, 'src/cli.ts')],
  outfile: join(out, 'draupnir.cjs'),
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
});

const assets = Object.fromEntries(
  ASSET_FOLDERS.flatMap((folder) => listAssets(folder))
    .filter((name) => !name.startsWith('scripts/dev/'))
    .map((name) => [name, join(root, name)]),
);
const config = join(out, 'sea.json');
writeFileSync(
  config,
  JSON.stringify({
    main: join(out, 'draupnir.cjs'),
    output: join(out, 'draupnir'),
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    assets,
  }),
);
execFileSync(process.execPath, ['--build-sea', config], { stdio: ['ignore', 'ignore', 'inherit'] });
rmSync(config);
