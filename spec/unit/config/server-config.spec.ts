import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatProblem, formatWarning } from '../../../src/config/problem.ts';
import { parseServerConfig } from '../../../src/config/server-config.ts';

const FILE = 'config.toml';

/** What 5.3.x needs to start. */
const REQUIRED: Readonly<Record<string, string>> = {
  database_url: '"postgres://draupnir:hunter2@localhost/draupnir?sslmode=disable"',
  data_path: '"/draupnir"',
  environment: '"production"',
  shared_secret: '"hunter2-shared"',
  trusted_user_email_domain: '"@example.com"',
  public_hostname: '"db.example.com"',
  clean_interval: '"30m"',
  min_instance_port: '6432',
  max_instance_port: '7432',
  'http.insecure_listen_address': '"0.0.0.0:8080"',
  'oauth.redirect_url': '"https://db.example.com/oauth_callback"',
  'oauth.client_id': '"the-client"',
  'oauth.client_secret': '"hunter2-oauth"',
};

/** The defaults. */
const LIMITS = {
  maxConnections: 2000,
  maxConnectionsPerAddress: 200,
  failedRequestsPerMinute: 300,
  headerTimeoutMs: 20_000,
  requestTimeoutMs: 60_000,
};

/** A file with the required keys, changed: undefined removes a key. */
function write(changes: Readonly<Record<string, string | undefined>> = {}): string {
  return Object.entries({ ...REQUIRED, ...changes })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} = ${value ?? ''}\n`)
    .join('');
}

const parse = (toml: string, env = {}) => parseServerConfig(toml, FILE, env);
const listProblems = (toml: string) => parse(toml).problems.map(formatProblem);
const listWarnings = (toml: string) => parse(toml).warnings.map(formatWarning);

function read(changes: Readonly<Record<string, string | undefined>> = {}, env = {}) {
  const { config, problems } = parse(write(changes), env);
  if (config === undefined) throw new Error(problems.map(formatProblem).join('\n'));
  return config;
}

describe('parseServerConfig', () => {
  it('reads a file of 5.3.x and fills in what keeps its behaviour', () => {
    const { databaseUrl, sharedSecret, oauth, ...rest } = read();
    expect(rest).toEqual({
      dataPath: '/draupnir',
      environment: 'production',
      trustedUserEmailDomain: '@example.com',
      publicHostname: 'db.example.com',
      cleanIntervalMs: 1_800_000,
      revocationGraceMs: 0,
      minInstancePort: 6432,
      maxInstancePort: 7432,
      enableIpWhitelisting: false,
      blockInstanceEgress: true,
      useXForwardedFor: false,
      trustedProxyCidrs: [],
      http: { insecureListenAddress: { host: '0.0.0.0', port: 8080 } },
      limits: LIMITS,
      auditLog: '/var/lib/draupnir/audit.log',
      scriptsPath: '/usr/lib/draupnir/scripts',
      encryptionKeyFile: '/var/lib/draupnir/encryption.key',
      apiVersionCheck: 'exact',
      migrateOnStart: true,
      scrub: 'full',
      finaliseTimeoutMs: 21_600_000,
      instanceStartTimeoutMs: 60_000,
      certificateLifetimeMs: 2_592_000_000,
      shutdownTimeoutMs: 30_000,
      scriptTimeoutMs: 120_000,
      reconcileIntervalMs: 2000,
      maxConcurrentCreates: 8,
      maxConcurrentFinalises: 2,
      warmInstances: 0,
      logLevel: 'info',
    });
    expect(databaseUrl).toMatchObject({
      host: 'localhost',
      user: 'draupnir',
      database: 'draupnir',
      sslMode: 'disable',
    });
    expect(sharedSecret.reveal()).toBe('hunter2-shared');
    expect(oauth.clientSecret.reveal()).toBe('hunter2-oauth');
    expect(oauth).toMatchObject({
      redirectUrl: 'https://db.example.com/oauth_callback',
      clientId: 'the-client',
      authUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
      tokenUrl: 'https://oauth2.googleapis.com/token',
      tokeninfoUrl: 'https://oauth2.googleapis.com/tokeninfo',
      identityCacheMs: 300_000,
      acceptShortStates: false,
      enabled: true,
    });
  });

  it('limits clients by default, and takes other limits', () => {
    expect(read().limits).toEqual(LIMITS);
    const chosen = read({
      'limits.max_connections': '10',
      'limits.max_connections_per_address': '5',
      'limits.failed_requests_per_minute': '7',
      'limits.header_timeout': '"1s"',
      'limits.request_timeout': '"2s"',
    });
    expect(chosen.limits).toEqual({
      maxConnections: 10,
      maxConnectionsPerAddress: 5,
      failedRequestsPerMinute: 7,
      headerTimeoutMs: 1000,
      requestTimeoutMs: 2000,
    });
  });

  it('keeps the audit log in the state directory, unless told otherwise', () => {
    expect(read().auditLog).toBe('/var/lib/draupnir/audit.log');
    expect(read({ audit_log: '"/var/log/draupnir/audit.log"' }).auditLog).toBe('/var/log/draupnir/audit.log');
  });

  it.each([
    ['0', 0],
    ['20', 20],
  ])('takes warm_instances = %s', (text, count) => {
    expect(read({ warm_instances: text }).warmInstances).toBe(count);
  });

  it.each(['-1', '21', '1.5', '"3"'])('refuses warm_instances = %s', (text) => {
    expect(listProblems(write({ warm_instances: text }))).toEqual([
      expect.stringMatching(/warm_instances: must be a whole number from 0 to 20/),
    ]);
  });

  it('reads every optional key', () => {
    const config = read({
      whitelist_reconcile_interval: '"5m"',
      whitelist_address_ttl: '"24h"',
      block_instance_egress: 'false',
      sentry_dsn: '"https://key@sentry.example.com/1"',
      enable_ip_whitelisting: 'false',
      use_x_forwarded_for: 'true',
      trusted_proxy_cidrs: '["10.0.0.0/8", "::1/128"]',
      scripts_path: '"/opt/scripts/"',
      encryption_key_file: '"/etc/key"',
      api_version_check: '"compatible"',
      migrate_on_start: 'false',
      scrub: '"fast"',
      finalise_timeout: '"1h"',
      instance_start_timeout: '"2s"',
      certificate_lifetime: '"2160h"',
      shutdown_timeout: '"1500ms"',
      log_level: '"debug"',
      revocation_grace: '"72h"',
      'oauth.auth_url': '"https://id.example.com/auth"',
      'oauth.token_url': '"http://127.0.0.1:8090/token"',
      'oauth.tokeninfo_url': '"http://[::1]:8090/tokeninfo"',
      'oauth.identity_cache': '"1m"',
      'oauth.accept_short_states': 'true',
      'oauth.enabled': 'false',
      'http.listen_address': '"[::1]:8443"',
      'http.tls_certificate': '"server.crt"',
      'http.tls_private_key': '"server.key"',
    });
    expect(config).toMatchObject({
      whitelistReconcileIntervalMs: 300_000,
      whitelistAddressTtlMs: 86_400_000,
      blockInstanceEgress: false,
      useXForwardedFor: true,
      trustedProxyCidrs: ['10.0.0.0/8', '::1/128'],
      scriptsPath: '/opt/scripts',
      encryptionKeyFile: '/etc/key',
      apiVersionCheck: 'compatible',
      migrateOnStart: false,
      scrub: 'fast',
      finaliseTimeoutMs: 3_600_000,
      instanceStartTimeoutMs: 2000,
      certificateLifetimeMs: 7_776_000_000,
      shutdownTimeoutMs: 1500,
      logLevel: 'debug',
      revocationGraceMs: 259_200_000,
      oauth: {
        authUrl: 'https://id.example.com/auth',
        tokenUrl: 'http://127.0.0.1:8090/token',
        tokeninfoUrl: 'http://[::1]:8090/tokeninfo',
        identityCacheMs: 60_000,
        acceptShortStates: true,
        enabled: false,
      },
      http: {
        listenAddress: { host: '::1', port: 8443 },
        tlsCertificate: 'server.crt',
        tlsPrivateKey: 'server.key',
      },
    });
    expect(config.sentryDsn?.reveal()).toBe('https://key@sentry.example.com/1');
  });

  it.each(['1h', '720h', '87600h'])(
    'takes %s for the lifetime of certificates, without a warning',
    (text) => {
      const { config, warnings } = parse(write({ certificate_lifetime: `"${text}"` }));
      expect(config?.certificateLifetimeMs).toBe(Number.parseInt(text) * 3_600_000);
      expect(warnings).toEqual([]);
    },
  );

  it.each(['"0s"', '"59m59s"', '"-720h"', '"87600h1s"', '"30d"', '720', 'true'])(
    'takes %s for no lifetime of certificates',
    (value) => {
      const [problem, ...others] = listProblems(write({ certificate_lifetime: value }));
      expect(problem).toContain('must be a duration from "1h" to "87600h" (ten years), such as "720h"');
      expect(others).toEqual([]);
    },
  );

  it('keeps the encryption key in the state directory that systemd gives', () => {
    const path = (STATE_DIRECTORY: string) => read({}, { STATE_DIRECTORY }).encryptionKeyFile;
    expect(path('/var/lib/private/draupnir')).toBe('/var/lib/private/draupnir/encryption.key');
    expect(path('/a:/b')).toBe('/a/encryption.key');
    expect(path('')).toBe('/var/lib/draupnir/encryption.key');
  });

  it('reports all missing keys at once, each with what would be right', () => {
    const { config, problems } = parse('');
    expect(config).toBeUndefined();
    expect(problems.map(({ path }) => path).sort()).toEqual(
      Object.keys(REQUIRED)
        .map((key) => (key === 'http.insecure_listen_address' ? 'http.listen_address' : key))
        .sort(),
    );
    for (const { message } of problems) expect(message).toMatch(/^is missing: (must be|set it)/);
  });

  it.each(Object.keys(REQUIRED))('reports %s alone when it alone is missing or empty', (key) => {
    const path = key === 'http.insecure_listen_address' ? 'http.listen_address' : key;
    for (const value of [undefined, '""', ...(key.endsWith('port') ? ['0'] : [])]) {
      const { problems } = parse(write({ [key]: value }));
      expect(problems).toEqual([
        { file: FILE, path, message: expect.stringMatching(/^is missing: /) as unknown },
      ]);
    }
  });

  it('asks for no registration at Google where nobody signs in', () => {
    const registration = ['oauth.redirect_url', 'oauth.client_id', 'oauth.client_secret'];
    const without = Object.fromEntries(registration.map((key) => [key, undefined]));
    const { config, problems, warnings } = parse(write({ ...without, 'oauth.enabled': 'false' }));
    expect({ problems, warnings }).toEqual({ problems: [], warnings: [] });
    expect(config?.oauth.enabled).toBe(false);
    expect(parse(write({ ...without, 'oauth.enabled': 'true' })).problems.map(({ path }) => path)).toEqual(
      registration,
    );
    // What the sample has may stand there.
    const sampled = parse(write({ 'oauth.client_secret': '"replace-this"', 'oauth.enabled': 'false' }));
    expect({ problems: sampled.problems, warnings: sampled.warnings }).toEqual({
      problems: [],
      warnings: [],
    });
  });

  it('warns of an API among the ports of instances, and of no other', () => {
    const warn = (port: number) =>
      parse(
        write({
          'http.insecure_listen_address': `":${port}"`,
          min_instance_port: '7432',
          max_instance_port: '7500',
        }),
      ).warnings;
    expect(warn(7431)).toEqual([]);
    expect(warn(7500)).toEqual([]);
    const message = 'port 7499 is one of the ports of instances, which a firewall may close: choose another';
    expect(warn(7499)).toEqual([{ file: FILE, path: 'http.insecure_listen_address', message }]);
    expect(parse('[http]\ninsecure_listen_address = ":8080"').warnings).toEqual([]);
  });

  it('treats an empty optional key as absent', () => {
    const config = read({ sentry_dsn: '""', 'http.listen_address': '""', log_level: '""' });
    expect(config.sentryDsn).toBeUndefined();
    expect(config.http).toEqual({ insecureListenAddress: { host: '0.0.0.0', port: 8080 } });
    expect(config.logLevel).toBe('info');
  });

  it.each([
    [
      'database_url',
      '5',
      'must be a Postgres URI or libpq keywords, such as "host=/run/postgresql user=draupnir dbname=draupnir"',
    ],
    [
      'data_path',
      '"draupnir"',
      'must be an absolute path without "..", such as "/draupnir" (found "draupnir")',
    ],
    [
      'data_path',
      '"/a/../b"',
      'must be an absolute path without "..", such as "/draupnir" (found "/a/../b")',
    ],
    ['data_path', '"/"', 'must be an absolute path without "..", such as "/draupnir" (found "/")'],
    ['environment', 'true', 'must be text in quotes (found true)'],
    ['environment', '" "', 'must be text in quotes (found " ")'],
    ['environment', '{ a = 1 }', 'must be text in quotes (found a table)'],
    ['environment', '1979-05-27', 'must be text in quotes (found a date)'],
    [
      'trusted_user_email_domain',
      '"example.com"',
      'must be "@" and a domain, such as "@example.com" (found "example.com")',
    ],
    ['trusted_user_email_domain', '"@"', 'must be "@" and a domain, such as "@example.com" (found "@")'],
    [
      'public_hostname',
      '"https://a"',
      'must be a host name or an IP address, without a port, such as "db.example.com" (found "https://a")',
    ],
    ['clean_interval', '30', 'must be a positive duration, such as "30m", "6h" or "1h30m" (found 30)'],
    ['clean_interval', '"30"', 'must be a positive duration, such as "30m", "6h" or "1h30m" (found "30")'],
    ['clean_interval', '"0s"', 'must be a positive duration, such as "30m", "6h" or "1h30m" (found "0s")'],
    ['clean_interval', '"-1h"', 'must be a positive duration, such as "30m", "6h" or "1h30m" (found "-1h")'],
    ['min_instance_port', '80', 'must be a whole number from 1024 to 65535, without quotes (found 80)'],
    [
      'min_instance_port',
      '"6432"',
      'must be a whole number from 1024 to 65535, without quotes (found "6432")',
    ],
    [
      'min_instance_port',
      '6432.5',
      'must be a whole number from 1024 to 65535, without quotes (found 6432.5)',
    ],
    [
      'min_instance_port',
      '9223372036854775807',
      'must be a whole number from 1024 to 65535, without quotes (found 9223372036854775807)',
    ],
    ['max_instance_port', '65537', 'must be a whole number from 1025 to 65536, without quotes (found 65537)'],
    ['max_instance_port', '6432', 'must be greater than min_instance_port, 6432 (found 6432)'],
    ['use_x_forwarded_for', '"true"', 'must be true or false, without quotes (found "true")'],
    [
      'trusted_proxy_cidrs',
      '"10.0.0.0/8"',
      'must be a list of networks, such as ["10.32.0.0/16", "2001:db8::/32"]; a single address is "192.0.2.1/32" (found "10.0.0.0/8")',
    ],
    [
      'trusted_proxy_cidrs',
      '["10.0.0.1"]',
      'must be a list of networks, such as ["10.32.0.0/16", "2001:db8::/32"]; a single address is "192.0.2.1/32" (found ["10.0.0.1"])',
    ],
    ['http.insecure_listen_address', '"8443"', 'must be "host:port", such as "0.0.0.0:8443" (found "8443")'],
    [
      'oauth.redirect_url',
      '"/oauth_callback"',
      'must be a URL, such as "https://draupnir.example.com/oauth_callback" (found "/oauth_callback")',
    ],
    [
      'oauth.token_url',
      '"http://oauth2.example.com/token"',
      'must be an https URL, such as "https://oauth2.googleapis.com/token"; http is for addresses of this machine (found "http://oauth2.example.com/token")',
    ],
    ['revocation_grace', '"-1s"', 'must be a duration, such as "0s", "30m" or "72h" (found "-1s")'],
    [
      'oauth.identity_cache',
      '"0s"',
      'must be a positive duration, such as "30m", "6h" or "1h30m" (found "0s")',
    ],
    ['api_version_check', '"none"', 'must be one of "exact", "compatible" (found "none")'],
    [
      'log_level',
      '"loud"',
      'must be one of "trace", "debug", "info", "warn", "error", "fatal", "silent" (found "loud")',
    ],
    ...[
      'hunter2',
      'https://sentry.example.com/1',
      'https://key@sentry.example.com',
      'https://key@sentry.example.com/project',
      'https://key@sentry.example.com/1?a=b',
      'https://a-key@sentry.example.com/1',
      'ftp://key@sentry.example.com/1',
    ].map((dsn): [string, string, string] => [
      'sentry_dsn',
      `"${dsn}"`,
      'must be a Sentry DSN, such as "https://KEY@sentry.example.com/1"',
    ]),
    ['shared_secret', '42', 'must be text of your own, in quotes'],
    ['enable_ip_whitelisting', '"yes"', 'must be true or false, without quotes (found "yes")'],
  ])('refuses %s = %s', (key, value, message) => {
    expect(listProblems(write({ [key]: value }))).toEqual([`${FILE}: ${key}: ${message}`]);
  });

  it.each<[string, string, object]>([
    ['min_instance_port', '1024', { minInstancePort: 1024 }],
    ['clean_interval', '"1ms"', { cleanIntervalMs: 1 }],
    ['trusted_user_email_domain', '"@a"', { trustedUserEmailDomain: '@a' }],
    ['revocation_grace', '"0s"', { revocationGraceMs: 0 }],
    ['public_hostname', '"::1"', { publicHostname: '::1' }],
    ['public_hostname', '"192.0.2.1"', { publicHostname: '192.0.2.1' }],
    ['data_path', '"/srv//draupnir/"', { dataPath: '/srv/draupnir' }],
  ])('takes %s = %s', (key, value, part) => {
    expect(read({ [key]: value })).toMatchObject(part);
  });

  it.each([
    ['public_hostname', '"fe80::1%eth0"'],
    ['data_path', '"/a\\u0000b"'],
    ['trusted_user_email_domain', '"@-"'],
    ['oauth.auth_url', '"https://id.example.com/auth?x=1"'],
    ['oauth.auth_url', '"https://id.example.com/auth#x"'],
    ['oauth.auth_url', '"https://user@id.example.com/auth"'],
    ['oauth.tokeninfo_url', '"http://127.0.0.1.example.com/"'],
    ['oauth.tokeninfo_url', '"file:///tokeninfo"'],
  ])('refuses %s = %s as well', (key, value) => {
    expect(parse(write({ [key]: value })).problems.map(({ path }) => path)).toEqual([key]);
  });

  it('shows 80 characters of a wrong value', () => {
    const list = (problem: string) => listProblems(write({ data_path: `"${problem}"` })).join();
    expect(list('a'.repeat(78))).toContain(`(found "${'a'.repeat(78)}")`);
    expect(list('a'.repeat(79))).toContain(`(found "${'a'.repeat(78)}…)`);
  });

  it('lets the last port be 65535', () => {
    expect(read({ max_instance_port: '65536' }).maxInstancePort).toBe(65536);
  });

  it('asks for the interval with whitelisting', () => {
    expect(read({ enable_ip_whitelisting: 'true', whitelist_reconcile_interval: '"5m"' })).toMatchObject({
      enableIpWhitelisting: true,
      whitelistReconcileIntervalMs: 300_000,
    });
    expect(parse(write({ enable_ip_whitelisting: 'true' })).problems.map(({ path }) => path)).toEqual([
      'whitelist_reconcile_interval',
    ]);
  });

  it('lets addresses stay as long as their instance unless it says otherwise, but not for no time', () => {
    expect(read({})).not.toHaveProperty('whitelistAddressTtlMs');
    expect(read({ whitelist_address_ttl: '"720h"' }).whitelistAddressTtlMs).toBe(720 * 3_600_000);
    expect(parse(write({ whitelist_address_ttl: '"0s"' })).problems.map(({ path }) => path)).toEqual([
      'whitelist_address_ttl',
    ]);
  });

  it('asks for one of the two addresses', () => {
    expect(listProblems(write({ 'http.insecure_listen_address': undefined }))).toEqual([
      `${FILE}: http.listen_address: is missing: set it for HTTPS, or http.insecure_listen_address for HTTP, to "host:port", such as "0.0.0.0:8443"`,
    ]);
  });

  it('asks for certificates only when it listens for HTTPS', () => {
    expect(listProblems(write({ 'http.listen_address': '":8443"' }))).toEqual([
      `${FILE}: http.tls_certificate: is missing: must be text in quotes`,
      `${FILE}: http.tls_private_key: is missing: must be text in quotes`,
    ]);
  });

  it('reports a section that is not a table', () => {
    const { problems } = parse(write().replace(/^oauth.*\n/gm, '') + 'oauth = "x"');
    expect(problems.map(formatProblem)[0]).toBe(`${FILE}: oauth: must be a table: [oauth] (found "x")`);
  });

  it('cuts a duration that no timer can wait for, with a warning', () => {
    expect(listWarnings(write({ clean_interval: '"596h31m23s647ms"' }))).toEqual([]);
    const toml = write({ clean_interval: '"1000h"' });
    expect(parse(toml).config?.cleanIntervalMs).toBe(2 ** 31 - 1);
    expect(listWarnings(toml)).toEqual([
      `${FILE}: clean_interval: warning: longer than a timer can wait: taken as 596h31m23s647ms (found "1000h")`,
    ]);
  });

  it('matches keys in any case, as 5.3.x did', () => {
    const toml = write().replace('data_path', 'Data_Path').replace('oauth.client_id', 'OAuth.Client_ID');
    const { problems } = parse(toml);
    // TOML itself tells OAuth from oauth: these are two tables then, and the exact name wins.
    expect(problems.map(({ path }) => path)).toEqual(['oauth.client_id']);
    expect(parse(write().replace('data_path', 'Data_Path')).config?.dataPath).toBe('/draupnir');
    expect(parse(write().replaceAll('oauth.', 'OAuth.')).config?.oauth.clientId).toBe('the-client');
  });

  it.each([
    [
      'databse_url = "x"\n' + write(),
      'databse_url: warning: unknown key, ignored; the nearest known key is "database_url"',
    ],
    [
      write({ 'http.listen_adress': '1' }),
      'http.listen_adress: warning: unknown key, ignored; the nearest known key is "http.listen_address"',
    ],
    [write() + '[http2]\n', 'http2: warning: unknown key, ignored; the nearest known key is "http"'],
    [
      write({ 'oauth.log_level': '"info"' }),
      'oauth.log_level: warning: unknown key, ignored; "log_level" belongs above the first [section]',
    ],
    [
      write({ client_id: '"x"' }),
      'client_id: warning: unknown key, ignored; "client_id" belongs below [oauth]',
    ],
  ])('warns of an unknown key and names a known one', (toml, warning) => {
    expect(listProblems(toml)).toEqual([]);
    expect(listWarnings(toml)).toEqual([`${FILE}: ${warning}`]);
  });

  it('turns a syntax error into one problem with line and column', () => {
    expect(listProblems('a = 1\nshared_secret = "hunter2" x')).toEqual([
      `${FILE}: line 2, column 27: is not valid TOML: unexpected character, expected only whitespace or comments till end of line`,
    ]);
  });

  it('shows no secret, whether the file is right or wrong', () => {
    expect(inspect(read(), { depth: null }) + JSON.stringify(read())).not.toContain('hunter2');
    const wrong = write({
      database_url: '"host=hunter2,b password=hunter2"',
      shared_secret: '["hunter2"]',
      'oauth.client_secret': '["hunter2"]',
    });
    expect(listProblems(wrong)).toHaveLength(3);
    expect(listProblems(wrong).join('\n')).not.toContain('hunter2');
  });

  it('never throws, and gives a config exactly when there is no problem', () => {
    const value = fc.oneof(
      fc.string().map((text) => JSON.stringify(text)),
      fc.integer().map(String),
      fc.constantFrom(
        'true',
        '[]',
        '[1]',
        '{}',
        '1979-05-27',
        '1.5',
        'inf',
        '""',
        '"1h"',
        '"/a"',
        '":80"',
        '9223372036854775807',
      ),
    );
    const keys = [
      ...Object.keys(REQUIRED),
      'sentry_dsn',
      'trusted_proxy_cidrs',
      'http',
      '__proto__',
      'constructor',
      'log_level',
    ];
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 4 }), (changes) => {
        const { config, problems } = parse(write(changes));
        expect(config === undefined).toBe(problems.length > 0);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a size', () => {
  it.each([
    ['"0MiB"', 0],
    ['"512MiB"', 512 * 2 ** 20],
    ['"1.5GiB"', 1.5 * 2 ** 30],
    ['"2TiB"', 2 * 2 ** 40],
  ])('%s is that many bytes', (text, bytes) => {
    expect(parseServerConfig(write({ min_free_space: text }), FILE).config?.minFreeSpace).toBe(bytes);
  });

  it.each(['10', '"10"', '"10GB"', '"-1GiB"', '"1e3MiB"', '"GiB"', '" 1GiB"', '"9999999MiB"'])(
    'is not %s',
    (text) => {
      const { problems } = parseServerConfig(write({ min_free_space: text }), FILE);
      expect(problems.map(formatProblem)).toEqual([
        expect.stringMatching(/min_free_space: must be a size, such as "500MiB" or "10GiB"/),
      ]);
    },
  );
});

describe('sample/config.toml', () => {
  const published = readFileSync(new URL('../../../sample/config.toml', import.meta.url), 'utf8');
  const sample = published.replaceAll('"replace-this', '"own');
  const uncommented = sample.replace(/^#(?=[a-z_]+ = )/gm, '');

  it('is refused with the secrets that everybody knows', () => {
    expect(listProblems(published)).toEqual([
      `${FILE}: shared_secret: must be text of your own, in quotes`,
      `${FILE}: oauth.client_secret: must be text of your own, in quotes`,
    ]);
  });

  it('is right with secrets of one’s own, and with every optional key in use', () => {
    for (const toml of [sample, uncommented]) {
      expect(listProblems(toml)).toEqual([]);
      expect(listWarnings(toml)).toEqual([]);
    }
  });

  it('shows the defaults', () => {
    const config = parse(sample).config;
    expect(parse(uncommented).config).toEqual({
      ...config,
      sentryDsn: expect.anything() as unknown,
      whitelistReconcileIntervalMs: 300_000,
      minFreeSpace: 20 * 2 ** 30,
      whitelistAddressTtlMs: 720 * 3_600_000,
      http: {
        ...config?.http,
        insecureListenAddress: { host: '127.0.0.1', port: 8442 },
        metricsListenAddress: { host: '127.0.0.1', port: 9464 },
      },
    });
  });

  it('names every key there is', () => {
    const names = new Set(
      [...uncommented.matchAll(/^([a-z_]+) = /gm)].map(([, name = '']) => toCamelCase(name)),
    );
    const config = parse(uncommented).config;
    const keys = [config, config?.http, config?.oauth, config?.limits].flatMap((part) =>
      Object.keys(part ?? {}),
    );
    const withoutUnits = keys
      .map((key) => key.replace(/Ms$/, ''))
      .filter((key) => !['http', 'oauth', 'limits'].includes(key));
    expect([...names].sort()).toEqual(withoutUnits.sort());
  });
});

function toCamelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
