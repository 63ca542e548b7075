import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getApiCertificate } from './certificate.ts';
import { run } from './command.ts';
import { INSTANCE_PORTS, type Installation, SECRET, SERVER_USER } from './installation.ts';

/** An identity provider, and the registration there. */
export interface Provider {
  clientId: string;
  clientSecret: string;
  registration: { authUrl: string; tokenUrl: string; tokeninfoUrl: string };
}

/** What tests vary. */
export interface ConfigChoices {
  /** `test` admits the developer's token. */
  environment?: string;
  ports?: { min: number; max: number };
  database?: string;
  /** Directory of the socket of the metadata database, when it is not its own. */
  databaseHost?: string;
  /** Go duration. */
  cleanInterval?: string;
  versionCheck?: 'exact' | 'compatible';
  /** Where people sign in; needs another `environment` than `test`. Without, nobody can. */
  provider?: Provider;
  /** Listens on all addresses; by default on loopback. */
  everywhere?: boolean;
  /** Further lines of the top level. By default the rules of the host stay as they are. */
  network?: string;
  /** Keys of `[limits]`, as TOML. */
  limits?: Record<string, string>;
  /** Go duration. */
  certificateLifetime?: string;
  scrub?: 'full' | 'fast';
  warmInstances?: number;
  /** Whether there are metrics to read. */
  metrics?: boolean;
}

/** Writes a configuration that the server's user alone can read; resolves to its path. */
export async function writeServerConfig(
  installation: Installation,
  name: string,
  choices: ConfigChoices = {},
): Promise<string> {
  const file = join(installation.dir, name);
  await writeFile(file, formatServerConfig(installation, choices), { mode: 0o600 });
  await run(['chown', `${SERVER_USER}:`, file]);
  return file;
}

function formatServerConfig(installation: Installation, choices: ConfigChoices): string {
  const { environment = 'test', ports = INSTANCE_PORTS, database = 'draupnir', scrub = 'full' } = choices;
  const { cleanInterval = '30m', versionCheck = 'exact', limits = {} } = choices;
  const { certificateLifetime = '720h', everywhere = false, warmInstances = 0 } = choices;
  const { network = 'block_instance_egress = false', databaseHost = installation.metadata } = choices;
  const host = everywhere ? '' : '127.0.0.1';
  const { certificate, key } = getApiCertificate(installation);
  return `database_url = "host=${databaseHost} user=${SERVER_USER} dbname=${database}"
data_path = "${installation.data}"
environment = "${environment}"
shared_secret = "${SECRET}"
trusted_user_email_domain = "@example.com"
public_hostname = "localhost"
clean_interval = "${cleanInterval}"
certificate_lifetime = "${certificateLifetime}"
min_instance_port = ${ports.min}
max_instance_port = ${ports.max}
warm_instances = ${warmInstances}
${network}
scripts_path = "${installation.scripts}"
scrub = "${scrub}"
encryption_key_file = "${join(installation.state, 'encryption.key')}"
api_version_check = "${versionCheck}"
audit_log = "${join(installation.state, 'audit.log')}"

[http]
listen_address = "${host}:${installation.httpsPort}"
insecure_listen_address = "${host}:${installation.httpPort}"
${choices.metrics === true ? `metrics_listen_address = "127.0.0.1:${installation.metricsPort}"` : ''}
tls_certificate = "${certificate}"
tls_private_key = "${key}"

[oauth]
redirect_url = "https://localhost:${installation.httpsPort}/oauth_callback"
${formatProvider(choices.provider)}
[limits]
# Tests of refusals send more of them than people do.
failed_requests_per_minute = 1000000
${Object.entries(limits)
  .map(([key, value]) => `${key} = ${value}\n`)
  .join('')}`;
}

function formatProvider(provider: Provider | undefined): string {
  if (!provider) return 'client_id = "none"\nclient_secret = "none"\nenabled = false\n';
  const { clientId, clientSecret, registration } = provider;
  return `client_id = "${clientId}"
client_secret = "${clientSecret}"
auth_url = "${registration.authUrl}"
token_url = "${registration.tokenUrl}"
tokeninfo_url = "${registration.tokeninfoUrl}"
`;
}
