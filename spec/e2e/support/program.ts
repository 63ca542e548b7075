import { access, chmod, copyFile, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKOUT } from './checkout.ts';
import { run } from './command.ts';
import {
  CHAIN_PREFIX,
  IMAGE_UID_BASE,
  INSTANCE_PORTS,
  INSTANCE_UID_BASE,
  type Installation,
  MAX_UPLOAD_FILES,
  SERVER_USER,
  SUDOERS,
  UID_COUNT,
  UPLOAD_USER,
} from './installation.ts';

const BUILT = join(CHECKOUT, 'dist/draupnir');

/** Installs the built program, and the scripts with their host.conf and sudo rules, as an administrator would. */
export async function installProgram(installation: Installation): Promise<void> {
  await access(BUILT).catch((cause: unknown) => {
    throw new Error(`${BUILT} is missing: run make build`, { cause });
  });
  await mkdir(join(installation.dir, 'bin'));
  await copyFile(BUILT, installation.program);
  await chmod(installation.program, 0o755);
  await installScripts(installation);
  await installSudoers(installation);
}

async function installScripts({
  scripts,
  data,
  run: runPath,
  postgres,
  program,
}: Installation): Promise<void> {
  await cp(join(CHECKOUT, 'scripts'), scripts, {
    recursive: true,
    filter: (source) => source !== join(CHECKOUT, 'scripts/dev'),
  });
  const conf = {
    DATA_PATH: data,
    RUN_PATH: runPath,
    POSTGRES_ROOT: postgres,
    PROGRAM: program,
    UPLOAD_USER,
    IMAGE_UID_BASE,
    INSTANCE_UID_BASE,
    MIN_INSTANCE_PORT: INSTANCE_PORTS.min,
    MAX_INSTANCE_PORT: INSTANCE_PORTS.max,
    UID_COUNT,
    CHAIN_PREFIX,
    MAX_UPLOAD_FILES,
  };
  const lines = Object.entries(conf).map(([key, value]) => `${key}=${value}\n`);
  await writeFile(join(scripts, 'host.conf'), lines.join(''), { mode: 0o644 });
  await run(['chown', '-R', 'root:root', scripts]);
  await run(['chmod', '-R', 'u=rwX,go=rX', scripts]);
  await checkExecutable(scripts);
}

async function checkExecutable(scripts: string): Promise<void> {
  const names = await readdir(scripts);
  for (const name of names.filter((each) => each.startsWith('draupnir-'))) {
    await run(['test', '-x', join(scripts, name)]);
  }
}

async function installSudoers({ scripts, dir }: Installation): Promise<void> {
  const template = await readFile(join(scripts, 'sudoers.example'), 'utf8');
  const draft = join(dir, 'sudoers.new');
  const rules = template.replaceAll('@USER@', SERVER_USER).replaceAll('@SCRIPTS@', scripts);
  await writeFile(draft, rules, { mode: 0o440 });
  // A broken file would lock everybody on the host out of sudo.
  await run(['visudo', '-q', '-c', '-f', draft]);
  await run(['install', '-m', '0440', '-o', 'root', '-g', 'root', draft, SUDOERS]);
}
