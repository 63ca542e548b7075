/**
 * Vitest's global setup of the unit and integration tests: bundles the command line into one file, as build.ts does. A command takes half as long from
 * there as from source.
 */
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The file that Node runs as `draupnir`. */
    commandLine: string;
    /** A folder for NODE_COMPILE_CACHE: spares processes the compilation of what others have compiled. */
    compileCache: string;
  }
}

const ROOT = join(import.meta.dirname, '../../..');

/** Provides the bundle and a compile cache; resolves to what removes them. */
export default async function setup(project: Pick<TestProject, 'provide'>): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'draupnir-command-line-'));
  const outfile = join(directory, 'draupnir.cjs');
  await build({
    absWorkingDir: ROOT,
    entryPoints: ['src/cli.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    // import('node:http') reads all its exports, and one of them loads Node's fetch.
    supported: { 'dynamic-import': false },
    // Only servers need these.
    external: ['server', 'quickstart', 'prepare'].map((folder) => join(ROOT, `src/${folder}/*`)),
    define: { 'import.meta.url': 'importMetaUrl' },
    banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
    logLevel: 'warning',
  });
  // The package `open` starts the browser with what lies beside it.
  await copyFile(join(ROOT, 'node_modules/open/xdg-open'), join(directory, 'xdg-open'));
  project.provide('commandLine', outfile);
  project.provide('compileCache', join(directory, 'compile-cache'));
  return () => rm(directory, { recursive: true });
}
