import { type Command, InvalidArgumentError } from 'commander';
import { EXIT_CONFIG } from '../failure.ts';
import { printData, printNotice } from '../output.ts';
import { findServerUrl } from '../server-address.ts';
import { DEFAULT_CONFIG_FILE } from './server.ts';

type Key = 'domain' | 'database';

/** Adds `draupnir config`: `show` and `set` for the user's settings, `check` for the server's configuration. */
export function addConfigCommands(program: Command): void {
  const config = program
    .command('config')
    .description("show and change settings, check a server's configuration");
  config.command('show').description('show the settings').action(showSettings);
  config
    .command('set')
    .description('change a setting')
    .argument('<key>', 'domain (host or host:port of the server) or database (to connect to)', parseKey)
    .argument('<value>')
    .action(changeSetting);
  config
    .command('check')
    .description("check a server's configuration, and this host, without starting anything")
    .option('--config <file>', 'configuration of the server', DEFAULT_CONFIG_FILE)
    .option('--offline', 'leave out the database and the ports')
    .option('--verbose', 'also list what is right, as on a terminal')
    .action(checkServerConfig);
}

async function showSettings(): Promise<void> {
  const { findSettingsFile, loadSettings } = await import('../settings-file.ts');
  const { domain, database, token } = await loadSettings(findSettingsFile());
  printData(`Domain: ${domain}`);
  printData(`Access Token: ${maskToken(token.accessToken || token.refreshToken)}`);
  printData(`Database: ${database}`);
}

async function changeSetting(key: Key, value: string, _options: unknown, command: Command): Promise<void> {
  if (key === 'domain' && findServerUrl(value, 'https') === undefined) {
    command.error('error: a domain is a host or host:port, such as draupnir.example.com, without https://');
  }
  // eslint-disable-next-line no-control-regex -- control characters are the point
  if (/[\u0000-\u001f\u007f]/.test(value)) command.error(`error: a ${key} holds no control characters`);
  const { getSettingsFile, updateSettings } = await import('../settings-file.ts');
  await updateSettings(getSettingsFile(), (settings) => {
    settings[key] = value;
  });
}

interface CheckOptions {
  config: string;
  offline?: true;
  verbose?: true;
}

async function checkServerConfig({ config: file, offline, verbose }: CheckOptions): Promise<void> {
  const { runConfigCheck } = await import('../../server/run-config-check.ts');
  const { problem, warning, ok, skipped } = await runConfigCheck(file, offline === true);
  const shown = verbose === true || process.stdout.isTTY ? [...ok, ...skipped] : [];
  for (const line of [...problem, ...warning, ...shown]) printNotice(line);
  if (problem.length === 0) printData(`${file}: ok`);
  else process.exitCode = EXIT_CONFIG;
}

function parseKey(text: string): Key {
  const key = text.toLowerCase();
  if (key === 'domain' || key === 'database') return key;
  throw new InvalidArgumentError('the settings are domain and database');
}

/** The first 10 characters, but never more than half of a short secret. */
function maskToken(token: string): string {
  return `${token.slice(0, Math.min(10, Math.floor(token.length / 2)))}****`;
}
