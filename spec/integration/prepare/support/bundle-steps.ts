/**
 * Vitest's global setup of the integration tests: bundles the programs that take single steps of a preparation as another user, for
 * whom the checkout may be closed.
 */
import { chmod, constants, copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** A directory with `node`, `unpack-program.cjs` and `steps-program.cjs`. */
    preparationPrograms: string;
  }
}

/** Provides the programs; resolves to what removes them. */
export default async function setup(project: Pick<TestProject, 'provide'>): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'draupnir-preparation-'));
  await chmod(directory, 0o755);
  await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: ['unpack-program.ts', 'steps-program.ts'],
    outdir: directory,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['pg-native'],
    define: { 'import.meta.url': 'importMetaUrl' },
    banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
    logLevel: 'warning',
  });
  await copyFile(process.execPath, join(directory, 'node'), constants.COPYFILE_FICLONE);
  project.provide('preparationPrograms', directory);
  return () => rm(directory, { recursive: true });
}
