import { lstat, mkdir } from 'node:fs/promises';
import { execa } from 'execa';
import { readPaths } from './lines.ts';

// find(1), chmod(1) and rm(1) do the work on trees: a name may hold any bytes, and a path may be longer than PATH_MAX, which Node's
// own functions do not bear.

/** Lets the owner into all directories: one that cannot be entered would hide its files from every check. */
export async function openDirectories(dir: string): Promise<void> {
  await execa('chmod', ['-R', 'u+rwX', '--', dir]);
}

/** Removes what is neither a file nor a directory. */
export async function removeSpecialFiles(dir: string): Promise<void> {
  await find(dir, ['!', '-type', 'f', '!', '-type', 'd', '-delete']);
}

/** Removes all entries at the top of a directory that have none of these names. */
export async function removeAllBut(dir: string, names: Iterable<string>): Promise<void> {
  const others = [...names].flatMap((name) => ['!', '-name', name]);
  await find(dir, [...TOP, ...others, '-exec', 'rm', '-rf', '--', '{}', '+']);
}

/** Empties directories, and makes those that are missing. */
export async function emptyDirectories(dirs: readonly string[]): Promise<void> {
  for (const dir of dirs) await mkdir(dir, { recursive: true });
  await execa('find', [...dirs, '-mindepth', '1', '-delete']);
}

/** Moves all that is in a directory to another one of the same file system. */
export async function moveContent(from: string, to: string): Promise<void> {
  await find(from, [...TOP, '-exec', 'mv', '-t', to, '--', '{}', '+']);
}

/** Gives all files and directories the modes that Postgres wants. */
export async function closeToOthers(dir: string): Promise<void> {
  // Five digits: with fewer a directory would keep its set-group-id bit (chmod(1)).
  const chmod = (mode: string) => ['-exec', 'chmod', mode, '--', '{}', '+'];
  await find(dir, ['(', '-type', 'd', ...chmod('00700'), ')', '-o', ...chmod('0600')]);
}

/** How many entries the paths below `dir` hold, themselves included; stops counting beyond `limit`. */
export async function countEntries(dir: string, paths: readonly string[], limit: number): Promise<number> {
  const child = execa('find', [...paths, '-printf', 'x'], { cwd: dir, buffer: false, reject: false });
  let count = 0;
  for await (const chunk of child.stdout) {
    count += (chunk as Buffer).length;
    if (count > limit) child.kill();
  }
  const { exitCode, isTerminated } = await child;
  if (exitCode !== 0 && !isTerminated) throw new Error('the files cannot be counted');
  return count;
}

/** The first file of more than `kib` KiB in one of the paths below `dir`. */
export async function findLargerFile(
  dir: string,
  paths: readonly string[],
  kib: number,
): Promise<string | undefined> {
  const condition = ['-type', 'f', '-size', `+${kib}k`, '-print', '-quit'];
  const { stdout } = await execa('find', [...paths, ...condition], { cwd: dir });
  return stdout === '' ? undefined : stdout;
}

/** The paths of all files of a name. They may hold any bytes, each of which is one character. */
export async function listFilesNamed(dir: string, name: string): Promise<string[]> {
  const child = execa('find', [dir, '-type', 'f', '-name', name, '-print0'], { buffer: false });
  const paths: string[] = [];
  for await (const path of readPaths(child.stdout)) paths.push(path);
  await child;
  return paths;
}

/** A path of which each character stands for a byte, as Node's functions take it. */
export function toPath(bytes: string): Buffer {
  return Buffer.from(bytes, 'latin1');
}

export async function isFile(path: string | Buffer): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isFile() ?? false;
}

export async function isDirectory(path: string | Buffer): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/** The entries of a directory itself. */
const TOP = ['-mindepth', '1', '-maxdepth', '1'] as const;

async function find(dir: string, expression: readonly string[]): Promise<void> {
  await execa('find', [dir, ...expression]);
}
