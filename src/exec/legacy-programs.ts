import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { execa } from 'execa';

/** What the sudo rules of Draupnir 5.3 named, with arguments of the kind that it gave; `-l` runs nothing. */
const COMMANDS: readonly (readonly [string, ...string[]])[] = [
  ['/usr/local/bin/draupnir-create-instance', '/data', '1', '1', '1'],
  ['/usr/local/bin/draupnir-destroy-instance', '/data', '1'],
  ['/usr/local/bin/draupnir-finalise-image', '/data', '1', '1', '/tmp/draupnir'],
  ['/usr/local/bin/draupnir-destroy-image', '/data', '1'],
  ['/usr/sbin/iptables', '-S'],
];

/** Where a shell looks, in order (Debian's /etc/profile). */
const USUAL_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin'];

/** Longest time of one question, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** Those of the programs that sudo lets this user run as root (sudo(8), -l with a command). */
export async function listLegacyRules(): Promise<string[]> {
  const allowed = await Promise.all(
    COMMANDS.map(async (command) => {
      const options = { reject: false, cwd: '/', timeout: TIMEOUT_MS, stdio: 'ignore' } as const;
      const { exitCode } = await execa('sudo', ['-n', '-l', '--', ...command], options);
      return exitCode === 0 ? [command[0]] : [];
    }),
  );
  return allowed.flat();
}

/** Another program of the name of this one, in a folder where a shell looks before that of this one. */
export async function findShadow(
  program = process.execPath,
  path: readonly string[] = USUAL_PATH,
): Promise<{ program: string; by: string } | undefined> {
  const earlier = path.slice(0, Math.max(0, path.indexOf(dirname(program))));
  for (const by of earlier.map((folder) => join(folder, basename(program)))) {
    const found = await realpath(by).catch(() => undefined);
    // A link to this one is no other program.
    if (found !== undefined && found !== (await realpath(program))) return { program, by };
  }
  return undefined;
}
