import { randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isSea } from 'node:sea';
import { listAssets, readAsset } from '../assets.ts';
import type { NumberRange } from '../core/host-installation.ts';
import { createApiCertificate } from '../tls/api-certificate.ts';
import { getHostConfPath } from './host-conf.ts';
import { run } from './host.ts';
import type { Layout } from './layout.ts';
import { writeMade } from './made.ts';
import type { Made } from './made.ts';

/** The API listens on this host alone. */
const API_HOST = 'localhost';
const API_LIFETIME_DAYS = 365;

/** What clients of the installation need to know. */
export interface Access {
  url: string;
  secret: string;
}

/** Puts the program, its scripts, configuration and certificate in place; safe to repeat over an older one. */
export async function install(layout: Layout, made: Made, plan: Plan): Promise<Access> {
  if (!isSea())
    throw new Error('quickstart runs from the built program alone: make build, then dist/draupnir');
  await installProgram(layout);
  await installScripts(layout, plan.hostConf);
  await installSudoers(layout, made);
  const access = { url: `https://${API_HOST}:${plan.apiPort}`, secret: await getSecret(layout) };
  await installConfiguration(layout, plan, access.secret);
  await installClient(layout, access);
  return access;
}

/** What is the installation's own on this host. */
export interface Plan {
  apiPort: number;
  instancePorts: NumberRange;
  /** Text of host.conf. */
  hostConf: string;
}

async function installProgram(layout: Layout): Promise<void> {
  // A running program cannot be written to, but its name can be given to another file.
  const draft = `${layout.program}.new`;
  await mkdir(dirname(layout.program), { recursive: true, mode: 0o755 });
  await copyFile(process.execPath, draft);
  await chmod(draft, 0o755);
  await rename(draft, layout.program);
}

async function installScripts(layout: Layout, hostConf: string): Promise<void> {
  for (const name of listAssets('scripts')) {
    if (name.startsWith('scripts/dev/')) continue;
    const target = join(layout.dir, name);
    await mkdir(dirname(target), { recursive: true, mode: 0o755 });
    await writeFile(target, readAsset(name));
    await chmod(target, /\.(sh|sql|example|pl|txt)$/.test(name) ? 0o644 : 0o755);
  }
  await writeFile(getHostConfPath(layout), hostConf, { mode: 0o644 });
  await mkdir(dirname(layout.anonymisationScript), { recursive: true, mode: 0o755 });
  await writeFile(layout.anonymisationScript, readAsset(`sample/${basename(layout.anonymisationScript)}`));
}

async function installSudoers(layout: Layout, made: Made): Promise<void> {
  const rules = readAsset('scripts/sudoers.example')
    .toString()
    .replaceAll('@USER@', layout.serverUser)
    .replaceAll('@SCRIPTS@', layout.scripts);
  if (made.sudoers === '') made.sudoers = nameSudoersFile(layout.dir);
  await writeMade(layout, made);
  const draft = join(layout.dir, 'sudoers.new');
  await writeFile(draft, rules, { mode: 0o440 });
  await run(['visudo', '-q', '-c', '-f', draft]);
  await run(['install', '-m', '0440', draft, made.sudoers]);
  await rm(draft);
}

/** A name for each directory. It has no dot: sudo skips such files (sudoers(5), "Including other files"). */
function nameSudoersFile(dir: string): string {
  const name = dir.replaceAll(/[-._]/g, (character) => `_${character.charCodeAt(0).toString(16)}`);
  return `/etc/sudoers.d/draupnir-quickstart${name.replaceAll('/', '-')}`;
}

/** The secret of an earlier run goes on, so that clients need not be told. */
async function getSecret(layout: Layout): Promise<string> {
  const env = await readFile(layout.env, 'utf8').catch(() => '');
  return /^DRAUPNIR_SECRET='([^']+)'$/m.exec(env)?.[1] ?? randomBytes(24).toString('hex');
}

async function installConfiguration(layout: Layout, plan: Plan, secret: string): Promise<void> {
  await mkdir(dirname(layout.config), { recursive: true, mode: 0o755 });
  await mkdir(dirname(layout.serverLog), { recursive: true, mode: 0o755 });
  await run(['install', '-d', '-m', '0700', '-o', layout.serverUser, '-g', layout.serverUser, layout.state]);
  const api = await createApiCertificate({
    hostnames: [API_HOST, '127.0.0.1', '::1'],
    now: new Date(),
    lifetimeDays: API_LIFETIME_DAYS,
  });
  await writeFile(layout.apiCa, api.ca, { mode: 0o644 });
  await writeFile(layout.apiCertificate, api.certificate, { mode: 0o644 });
  const toml = `# Made by draupnir quickstart; every key is explained in sample/config.toml.
database_url = "host=${layout.metadata} user=${layout.serverUser} dbname=draupnir"
data_path = "${layout.data}"
environment = "quickstart"
shared_secret = "${secret}"
trusted_user_email_domain = "@example.com"
public_hostname = "${API_HOST}"
clean_interval = "30m"
min_instance_port = ${plan.instancePorts.from}
max_instance_port = ${plan.instancePorts.to + 1}
# The network of this machine stays as it is.
block_instance_egress = false
scripts_path = "${layout.scripts}"
encryption_key_file = "${join(layout.state, 'encryption.key')}"
audit_log = "${join(layout.state, 'audit.log')}"

[http]
listen_address = "${API_HOST}:${plan.apiPort}"
tls_certificate = "${layout.apiCertificate}"
tls_private_key = "${layout.apiKey}"

[oauth]
redirect_url = "https://${API_HOST}:${plan.apiPort}/oauth_callback"
client_id = "not-used-by-quickstart"
client_secret = "not-used-by-quickstart"
enabled = false
`;
  await writeForServer(layout, layout.apiKey, api.key);
  await writeForServer(layout, layout.config, toml);
}

/** Readable by root and the server's user only. */
async function writeForServer(layout: Layout, file: string, content: string): Promise<void> {
  await writeFile(file, '', { mode: 0o600 });
  await run(['chown', `root:${layout.serverUser}`, file]);
  await chmod(file, 0o640);
  await writeFile(file, content);
}

/** A command that is the CLI with settings of its own, and the file that scripts source. */
async function installClient(layout: Layout, access: Access): Promise<void> {
  await mkdir(dirname(layout.settings), { recursive: true, mode: 0o700 });
  const settings = `Domain = "${new URL(access.url).host}"\nDatabase = "shop"\n\n[Token]\nRefreshToken = "${access.secret}"\n`;
  await writeFile(layout.settings, settings, { mode: 0o600 });
  const wrapper = `#!/bin/sh
# The command line of this installation: its own settings file, and trust in the API's own certificate.
DRAUPNIR_SETTINGS='${layout.settings}' NODE_EXTRA_CA_CERTS='${layout.apiCa}' exec '${layout.program}' "$@"
`;
  await writeFile(layout.cli, wrapper);
  await chmod(layout.cli, 0o755);
  const env = {
    DRAUPNIR_URL: access.url,
    DRAUPNIR_SECRET: access.secret,
    DRAUPNIR_DATA: layout.data,
    DRAUPNIR_CLI: layout.cli,
    DRAUPNIR_UPLOAD_USER: layout.uploadUser,
  };
  const lines = Object.entries(env).map(([key, value]) => `${key}='${value}'\n`);
  await writeFile(layout.env, lines.join(''), { mode: 0o600 });
}
