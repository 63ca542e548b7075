import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, runCommand } from './command.ts';
import { getInstallation, IMAGE_UID_BASE, INSTANCE_UID_BASE, UID_COUNT } from './installation.ts';

/** Tables of accounts; runs of these tests in other slots come and go in there. */
const ACCOUNTS = ['/etc/passwd', '/etc/shadow', '/etc/group'];

/** Files that decide over the host and over an instance, with a hash of what is in them. */
export async function hashHostFiles(instanceId: number): Promise<Record<string, string>> {
  const { dir, data, scripts, state, tls } = getInstallation();
  const conf = join(data, 'instance_config', String(instanceId));
  const roots = [scripts, state, tls, conf, join(dir, 'config.toml')];
  const own = (await run(['find', ...roots, '-type', 'f', '!', '-name', '*.log'])).trim().split('\n');
  const files = [...own, ...ACCOUNTS, '/etc/ld.so.cache'].sort();
  const hashes = await Promise.all(
    files.map(async (file) => {
      const content = await readFile(file, 'utf8');
      const stable = ACCOUNTS.includes(file) ? content.replaceAll(/^draupnir-e2e.*\n/gm, '') : content;
      return [file, createHash('sha256').update(stable).digest('hex')] as const;
    }),
  );
  return Object.fromEntries(hashes);
}

/** What processes of instances and images have left outside of their own directories, where any user may write. */
export async function listStrayFiles(): Promise<string[]> {
  const { scratch, scripts } = getInstallation();
  const folders = ['/tmp', '/var/tmp', '/dev/shm', '/run', scratch];
  // Since the installation was made: earlier ones had the same uids. Nobody can set the time of the last change back.
  const recent = ['-newercm', join(scripts, 'host.conf')];
  const bases = [IMAGE_UID_BASE, INSTANCE_UID_BASE];
  const owners = bases.flatMap((base, i) => [
    ...(i === 0 ? [] : ['-o']),
    ...['(', '-uid', `+${base - 1}`, '-uid', `-${base + UID_COUNT}`, ')'],
  ]);
  // Others use these folders meanwhile, and what find is about to look at may go: its exit code tells nothing.
  const { stdout } = await runCommand([
    'find',
    ...folders,
    '-xdev',
    ...recent,
    '(',
    ...owners,
    ')',
    '-print',
  ]);
  return stdout.split('\n').filter((line) => line !== '');
}
