import { ApiClient } from './api-client.ts';
import type { GlobalFlags } from './command-session.ts';
import { CliError, EXIT_CONFIG } from './failure.ts';
import { findServerUrl, UNSET_DOMAIN } from './server-address.ts';
import { findSettingsFile, loadSettings } from './settings-file.ts';
import type { Settings } from './settings.ts';

/** What a command needs to work with the server. */
export interface Session {
  settings: Settings;
  client: ApiClient;
}

/** Loads the settings and prepares a client for the server they name. Nothing is sent yet. Throws `CliError`. */
export async function openSession(flags: GlobalFlags): Promise<Session> {
  const file = findSettingsFile();
  const settings = await loadSettings(file);
  const server = findServerUrl(settings.domain, flags.insecure === true ? 'http' : 'https');
  if (settings.domain === UNSET_DOMAIN || server === undefined) {
    const problem =
      settings.domain === UNSET_DOMAIN ? 'no server is set' : 'the domain is not a host or host:port';
    throw new CliError(`${file ?? 'there is no home directory'}: ${problem}`, {
      hint:
        file === undefined
          ? 'name a file in DRAUPNIR_SETTINGS, then draupnir config set domain draupnir.example.com'
          : 'draupnir config set domain draupnir.example.com',
      exitCode: EXIT_CONFIG,
    });
  }
  const { refreshToken: token } = settings.token;
  return { settings, client: new ApiClient({ server, token, verifyCertificate: flags.skipVerify !== true }) };
}
