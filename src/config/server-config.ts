import { Secret } from '../core/secret.ts';
import { ConfigTable } from './config-table.ts';
import type { DatabaseUrl } from './database-url.ts';
import type { ListenAddress } from './listen-address.ts';
import type { Problem } from './problem.ts';
import { readHttp, warnOfSharedPort } from './read-http.ts';
import type { ReadableConfig } from './readable-config.ts';
import { TomlSyntaxError, parseToml } from './toml-file.ts';
import type { TomlTable } from './toml-file.ts';
import {
  absolutePathKind,
  ageKind,
  booleanKind,
  certificateLifetimeKind,
  cidrsKind,
  databaseUrlKind,
  durationKind,
  durationOrZeroKind,
  emailDomainKind,
  hostnameKind,
  integerKind,
  providerUrlKind,
  secretKind,
  sizeKind,
  sentryDsnKind,
  textKind,
  webUrlKind,
  wordKind,
} from './value-kind.ts';
import { withoutAbsent } from './without-absent.ts';

/** pino's levels. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Where the API listens; at least one of the two addresses is there, and both files with `listenAddress`. */
export interface HttpConfig {
  listenAddress?: ListenAddress;
  insecureListenAddress?: ListenAddress;
  tlsCertificate?: string;
  tlsPrivateKey?: string;
  /** Where the metrics are, over plain HTTP. */
  metricsListenAddress?: ListenAddress;
}

/** Client registration at Google. */
export interface OauthConfig {
  redirectUrl: string;
  clientId: string;
  clientSecret: Secret;
  authUrl: string;
  tokenUrl: string;
  tokeninfoUrl: string;
  /** How long a caller is believed without asking the provider again. */
  identityCacheMs: number;
  acceptShortStates: boolean;
  /** Whether there is a provider at all; without, the shared secret is the only token. */
  enabled: boolean;
}

/** What a listener bears; times in milliseconds. */
export interface LimitsConfig {
  maxConnections: number;
  maxConnectionsPerAddress: number;
  failedRequestsPerMinute: number;
  headerTimeoutMs: number;
  requestTimeoutMs: number;
}

/** The server's configuration, checked. Sample and meaning of each key: sample/config.toml. */
export interface ServerConfig {
  databaseUrl: DatabaseUrl;
  dataPath: string;
  environment: string;
  sharedSecret: Secret;
  /** Starts with `@`. */
  trustedUserEmailDomain: string;
  publicHostname: string;
  cleanIntervalMs: number;
  /** May be 0. */
  revocationGraceMs: number;
  /** Inclusive. */
  minInstancePort: number;
  /** Exclusive. */
  maxInstancePort: number;
  whitelistReconcileIntervalMs?: number;
  /** As long as the instance if absent. */
  whitelistAddressTtlMs?: number;
  /** Where iptables can do that. */
  blockInstanceEgress: boolean;
  sentryDsn?: Secret;
  enableIpWhitelisting: boolean;
  useXForwardedFor: boolean;
  trustedProxyCidrs: string[];
  http: HttpConfig;
  oauth: OauthConfig;
  limits: LimitsConfig;
  auditLog: string;
  scriptsPath: string;
  encryptionKeyFile: string;
  apiVersionCheck: 'exact' | 'compatible';
  migrateOnStart: boolean;
  /** What is done about the bytes of removed rows: tables written anew, or only the space marked as free. */
  scrub: 'full' | 'fast';
  finaliseTimeoutMs: number;
  instanceStartTimeoutMs: number;
  /** Of an instance's certificates. */
  certificateLifetimeMs: number;
  shutdownTimeoutMs: number;
  /** Longest time of a script, or of one step of an exchange with it; preparations have a time of their own. */
  scriptTimeoutMs: number;
  reconcileIntervalMs: number;
  maxConcurrentCreates: number;
  maxConcurrentFinalises: number;
  /** How many instances of the newest image wait for somebody to ask for one. */
  warmInstances: number;
  /** Bytes that must stay free on the volume; absent: a share of it. */
  minFreeSpace?: number;
  logLevel: LogLevel;
}

/** What a file came to: `config` is there exactly when `problems` is empty. */
export interface ParsedServerConfig {
  config?: ServerConfig;
  problems: Problem[];
  warnings: Problem[];
  /** The parts that name files, as far as they could be read: so that a bad file is told along with all other problems. */
  files: ConfigFiles;
  /** What could be read although there may be problems: what they name can be checked all the same. */
  readable: ReadableConfig;
}

/** Where a configuration names certificates, keys and what the server writes. */
export interface ConfigFiles {
  http: HttpConfig;
  databaseUrl?: DatabaseUrl;
  /** What the server writes, and whose owner it is; absent when the text is no TOML. */
  state?: Pick<ServerConfig, 'encryptionKeyFile' | 'auditLog'>;
}

/** The part of the process environment that defaults depend on: systemd sets it from `StateDirectory=`. */
export interface ConfigEnvironment {
  STATE_DIRECTORY?: string | undefined;
}

const HOUR_MS = 3_600_000;

/** Reads the text of a server configuration. Pure; `file` only names the source in problems. Reports all problems at once. */
export function parseServerConfig(
  toml: string,
  file: string,
  env: ConfigEnvironment = {},
): ParsedServerConfig {
  let table: TomlTable;
  try {
    table = parseToml(toml);
  } catch (error) {
    if (!(error instanceof TomlSyntaxError)) throw error;
    const path = `line ${error.line}, column ${error.column}`;
    return {
      problems: [{ file, path, message: `is not valid TOML: ${error.reason}` }],
      warnings: [],
      files: { http: {} },
      readable: {},
    };
  }
  const findings = { file, problems: [], warnings: [], known: new Set<string>() };
  const root = new ConfigTable(table, findings);
  const config = readServerConfig(root, env);
  root.warnUnknown();
  const { problems, warnings } = findings;
  const { http, databaseUrl, encryptionKeyFile, auditLog } = config;
  const state = { encryptionKeyFile, auditLog };
  const files: ConfigFiles = { http, state, ...withoutAbsent({ databaseUrl }) };
  return { ...(problems.length === 0 && { config }), problems, warnings, files, readable: config };
}

function readServerConfig(root: ConfigTable, env: ConfigEnvironment): ServerConfig {
  // systemd separates several state directories by colons.
  const stateDirectory = env.STATE_DIRECTORY?.split(':')[0] || '/var/lib/draupnir';
  const ports = readInstancePorts(root);
  const httpTable = root.table('http');
  const http = readHttp(httpTable);
  warnOfSharedPort(httpTable, http, ports);
  return {
    databaseUrl: root.required('database_url', databaseUrlKind),
    dataPath: root.required('data_path', absolutePathKind('/draupnir')),
    environment: root.required('environment', textKind),
    sharedSecret: root.required('shared_secret', secretKind),
    trustedUserEmailDomain: root.required('trusted_user_email_domain', emailDomainKind),
    publicHostname: root.required('public_hostname', hostnameKind),
    cleanIntervalMs: root.required('clean_interval', durationKind),
    revocationGraceMs: root.optional('revocation_grace', durationOrZeroKind) ?? 0,
    ...ports,
    ...readWhitelisting(root),
    blockInstanceEgress: root.optional('block_instance_egress', booleanKind) ?? true,
    ...withoutAbsent({ sentryDsn: root.optional('sentry_dsn', sentryDsnKind) }),
    useXForwardedFor: root.optional('use_x_forwarded_for', booleanKind) ?? false,
    trustedProxyCidrs: root.optional('trusted_proxy_cidrs', cidrsKind) ?? [],
    http,
    oauth: readOauth(root.table('oauth')),
    limits: readLimits(root.table('limits')),
    auditLog:
      root.optional('audit_log', absolutePathKind('/var/lib/draupnir/audit.log')) ??
      `${stateDirectory}/audit.log`,
    scriptsPath:
      root.optional('scripts_path', absolutePathKind('/usr/lib/draupnir/scripts')) ??
      '/usr/lib/draupnir/scripts',
    encryptionKeyFile:
      root.optional('encryption_key_file', absolutePathKind('/var/lib/draupnir/encryption.key')) ??
      `${stateDirectory}/encryption.key`,
    apiVersionCheck: root.optional('api_version_check', wordKind('exact', 'compatible')) ?? 'exact',
    migrateOnStart: root.optional('migrate_on_start', booleanKind) ?? true,
    scrub: root.optional('scrub', wordKind('full', 'fast')) ?? 'full',
    finaliseTimeoutMs: root.optional('finalise_timeout', durationKind) ?? 6 * HOUR_MS,
    instanceStartTimeoutMs: root.optional('instance_start_timeout', durationKind) ?? 60_000,
    certificateLifetimeMs: root.optional('certificate_lifetime', certificateLifetimeKind) ?? 720 * HOUR_MS,
    shutdownTimeoutMs: root.optional('shutdown_timeout', durationKind) ?? 30_000,
    scriptTimeoutMs: root.optional('script_timeout', durationKind) ?? 120_000,
    reconcileIntervalMs: root.optional('reconcile_interval', durationKind) ?? 2000,
    maxConcurrentCreates: root.optional('max_concurrent_creates', integerKind(1, 1000)) ?? 8,
    maxConcurrentFinalises: root.optional('max_concurrent_finalises', integerKind(1, 100)) ?? 2,
    warmInstances: root.optional('warm_instances', integerKind(0, 20)) ?? 0,
    ...withoutAbsent({ minFreeSpace: root.optional('min_free_space', sizeKind) }),
    logLevel:
      root.optional('log_level', wordKind('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent')) ??
      'info',
  };
}

function readInstancePorts(root: ConfigTable): Pick<ServerConfig, 'minInstancePort' | 'maxInstancePort'> {
  // Below 1024 only root may listen. The maximum is exclusive: 65536 makes the last port usable.
  const minInstancePort = root.required('min_instance_port', integerKind(1024, 65535));
  const maxInstancePort = root.required('max_instance_port', integerKind(1025, 65536));
  if (minInstancePort >= maxInstancePort) {
    root.report(
      'max_instance_port',
      `must be greater than min_instance_port, ${minInstancePort}`,
      maxInstancePort,
    );
  }
  return { minInstancePort, maxInstancePort };
}

function readWhitelisting(
  root: ConfigTable,
): Pick<ServerConfig, 'enableIpWhitelisting' | 'whitelistReconcileIntervalMs' | 'whitelistAddressTtlMs'> {
  const enableIpWhitelisting = root.optional('enable_ip_whitelisting', booleanKind) ?? false;
  const whitelistReconcileIntervalMs = enableIpWhitelisting
    ? root.required('whitelist_reconcile_interval', durationKind)
    : root.optional('whitelist_reconcile_interval', durationKind);
  const whitelistAddressTtlMs = root.optional('whitelist_address_ttl', ageKind);
  return {
    enableIpWhitelisting,
    ...withoutAbsent({ whitelistReconcileIntervalMs, whitelistAddressTtlMs }),
  };
}

function readOauth(oauth: ConfigTable): OauthConfig {
  const enabled = oauth.optional('enabled', booleanKind) ?? true;
  return {
    enabled,
    ...(enabled ? readRegistration(oauth) : ignoreRegistration(oauth)),
    // https://accounts.google.com/.well-known/openid-configuration; tokeninfo: Google, "Verify the Google ID token".
    authUrl: oauth.optional('auth_url', providerUrlKind) ?? 'https://accounts.google.com/o/oauth2/v2/auth',
    tokenUrl: oauth.optional('token_url', providerUrlKind) ?? 'https://oauth2.googleapis.com/token',
    tokeninfoUrl:
      oauth.optional('tokeninfo_url', providerUrlKind) ?? 'https://oauth2.googleapis.com/tokeninfo',
    identityCacheMs: oauth.optional('identity_cache', durationKind) ?? 300_000,
    acceptShortStates: oauth.optional('accept_short_states', booleanKind) ?? false,
  };
}

type Registration = Pick<OauthConfig, 'redirectUrl' | 'clientId' | 'clientSecret'>;

function readRegistration(oauth: ConfigTable): Registration {
  return {
    redirectUrl: oauth.required('redirect_url', webUrlKind),
    clientId: oauth.required('client_id', textKind),
    clientSecret: oauth.required('client_secret', secretKind),
  };
}

/** Nobody signs in: what stands there, such as what the sample has, is asked for and used by nobody. */
function ignoreRegistration(oauth: ConfigTable): Registration {
  for (const key of ['redirect_url', 'client_id', 'client_secret']) oauth.has(key);
  return { redirectUrl: '', clientId: '', clientSecret: new Secret('') };
}

function readLimits(limits: ConfigTable): LimitsConfig {
  const atMost = integerKind(1, 1_000_000);
  return {
    maxConnections: limits.optional('max_connections', atMost) ?? 2000,
    maxConnectionsPerAddress: limits.optional('max_connections_per_address', atMost) ?? 200,
    failedRequestsPerMinute: limits.optional('failed_requests_per_minute', atMost) ?? 300,
    headerTimeoutMs: limits.optional('header_timeout', durationKind) ?? 20_000,
    requestTimeoutMs: limits.optional('request_timeout', durationKind) ?? 60_000,
  };
}
