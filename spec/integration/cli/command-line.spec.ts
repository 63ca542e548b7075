import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { VERSION } from '../../../src/version.ts';
import { imageResource, instanceDocument, instanceResource } from '../../support/cli/resources.ts';
import { createUser, TestUser, TOKEN } from '../../support/cli/run-command-line.ts';
import { startProxy } from '../../support/cli/stub-proxy.ts';
import { apiError, startStubServer } from '../../support/cli/stub-server.ts';
import { createTestCertificates } from '../../support/cli/test-certificates.ts';

// Each test starts the program a few times, at a tenth of a second or more on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

describe('draupnir', () => {
  it.each([[[]], [['help']], [['--help']]])('explains itself and the quick start (%j)', async (args) => {
    const { code, stdout, stderr } = await new TestUser().run(args);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/draupnir authenticate[^]*eval "\$\(draupnir new\)" && psql/);
    expect(stdout).toContain('DRAUPNIR_SETTINGS');
  });

  it('explains a group of commands', async () => {
    const { code, stdout } = await new TestUser().run(['images', 'help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/list[^]*create[^]*finalise[^]*destroy/);
  });

  it('tells its version', async () => {
    const user = new TestUser();
    expect(await user.run(['--version'])).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
    expect(readdirSync(user.home)).toEqual([]);
  });

  it.each([
    [['bogus'], "error: unknown command 'bogus'"],
    [['images', 'bogus'], "error: unknown command 'bogus'"],
    [['images', 'list', '--bogus'], "error: unknown option '--bogus'"],
    [['images', 'list', 'more'], 'error: too many arguments'],
    [['instances', 'create', '0x10'], 'an id is a whole number such as 3'],
    [['instances', 'rotate', '1.0'], 'an id is a whole number such as 3'],
    [['instances', 'rotate'], "error: missing required argument 'id'"],
    [['instances', 'destroy', '-1'], 'an id is a whole number such as 3'],
    [['images', 'finalise', '1e3'], 'an id is a whole number such as 3'],
    [['images', 'destroy', ' 7'], 'an id is a whole number such as 3'],
    [['images', 'create', 'yesterday', 'anon.sql'], 'wanted in the form 2017-05-01T12:00:00Z'],
    [['config', 'set', 'token', 'x'], 'the settings are domain and database'],
    [['config', 'set', 'domain', 'https://draupnir.example.com'], 'without https://'],
    [['config', 'set', 'database', 'a\nb'], 'holds no control characters'],
    [['images'], 'Usage: draupnir images'],
  ])('refuses %j as wrong usage', async (args, expected) => {
    const user = new TestUser();
    const { code, stdout, stderr } = await user.run(args);
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toContain(expected);
    expect(readdirSync(user.home)).toEqual([]);
  });

  it('makes a settings file on first use and says what to set', async () => {
    const user = new TestUser();
    const { code, stdout, stderr } = await user.run(['images', 'list']);
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toBe(
      `error: ${user.settingsFile}: no server is set\nhint: draupnir config set domain draupnir.example.com\n`,
    );
    expect(readFileSync(user.settingsFile, 'utf8')).toContain('set-me-to-a-real-domain');
  });

  it('does not crash when nobody reads what it prints', async () => {
    const data = Array.from({ length: 5000 }, (_value, index) => imageResource(index + 1));
    const user = createUser(await startStubServer({ 'GET /images': { status: 200, body: { data } } }));
    const script = 'set -o pipefail; $draupnir --insecure images list | head -n 1; echo "$?"';
    const { stdout, stderr } = await user.runShell('bash', script);
    expect({ stdout, stderr }).toEqual({
      stdout: ' 1 [ 2017-05-01T12:00:00Z - READY:  true ]\n0\n',
      stderr: '',
    });
  });

  it('shows no token, whatever fails', async () => {
    const error = apiError('bad', 'Bad', 'nothing to see \u001b[2J\nhere');
    const stub = await startStubServer({ 'GET /images': { status: 400, body: error } });
    const answered = await createUser(stub).run(['--insecure', 'images', 'list']);
    expect(answered).toEqual({ code: 1, stdout: '', stderr: 'error: Bad (nothing to see  [2J here)\n' });

    const user = createUser(stub);
    writeFileSync(user.settingsFile, `[Token]\nRefreshToken = "${TOKEN}" x\n`, { mode: 0o600 });
    const { code, stderr } = await user.run(['images', 'list']);
    expect(code).toBe(78);
    expect(stderr).toMatch(/^error: .*line 2: not valid TOML.*\nhint: .*\n$/);
    expect(stderr).not.toContain('the-refresh');
  });
});

describe('draupnir config', () => {
  it('keeps what is set', async () => {
    const user = createUser({ domain: 'old.example' });
    expect(await user.run(['config', 'set', 'Domain', 'draupnir.example.com:8443'])).toMatchObject({
      code: 0,
      stdout: '',
    });
    expect(await user.run(['config', 'set', 'database', 'my_app'])).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
    expect(await user.run(['config', 'show'])).toEqual({
      code: 0,
      stdout: 'Domain: draupnir.example.com:8443\nAccess Token: 1/the-refr****\nDatabase: my_app\n',
      stderr: '',
    });
  });

  it('shows the access token rather than the refresh token, and little of a short secret', async () => {
    const user = new TestUser();
    const write = (token: string): void =>
      writeFileSync(user.settingsFile, `[Token]\n${token}\n`, { mode: 0o600 });
    write('AccessToken = "ya29.abcdefghijklmnop"\nRefreshToken = "1/x"');
    expect((await user.run(['config', 'show'])).stdout).toContain('Access Token: ya29.abcde****\n');
    write('RefreshToken = "secret"');
    expect((await user.run(['config', 'show'])).stdout).toContain('Access Token: sec****\n');
  });

  it('uses the file that DRAUPNIR_SETTINGS names', async () => {
    const user = new TestUser();
    const env = { DRAUPNIR_SETTINGS: join(user.home, 'other') };
    await user.run(['config', 'set', 'domain', 'other.example'], { env });
    expect(readdirSync(user.home)).toEqual(['other']);
    expect((await user.run(['config', 'show'], { env })).stdout).toContain('Domain: other.example\n');
  });
});

describe('draupnir images', () => {
  it('lists a line per image', async () => {
    const data = [imageResource(3), imageResource(12, { ready: false })];
    const user = createUser(await startStubServer({ 'GET /images': { status: 200, body: { data } } }));
    expect(await user.run(['images', 'list', '--insecure'])).toEqual({
      code: 0,
      stdout: ' 3 [ 2017-05-01T12:00:00Z - READY:  true ]\n12 [ 2017-05-01T12:00:00Z - READY: false ]\n',
      stderr: '',
    });
  });

  it('creates one from a script in a file or on stdin, and prints its line', async () => {
    const body = { data: imageResource(3, { ready: false }) };
    const stub = await startStubServer({ 'POST /images': { status: 201, body } });
    const user = createUser(stub);
    const file = join(user.home, 'anon.sql');
    writeFileSync(file, "UPDATE people SET name = 'né';\n");
    const expected = { code: 0, stdout: ' 3 [ 2017-05-01T12:00:00Z - READY: false ]\n', stderr: '' };
    const command = ['--insecure', 'images', 'create', '2017-05-01T12:00:00Z'];
    expect(await user.run([...command, file])).toEqual(expected);
    expect(await user.run([...command, '-'], { stdin: 'SELECT 1;' })).toEqual(expected);
    expect(stub.seen.map((request) => JSON.parse(request.body) as unknown)).toMatchObject([
      { data: { attributes: { anonymisation_script: "UPDATE people SET name = 'né';\n" } } },
      { data: { attributes: { anonymisation_script: 'SELECT 1;' } } },
    ]);
  });

  it('sends along the queries that must return nothing', async () => {
    const body = { data: imageResource(3, { ready: false }) };
    const stub = await startStubServer({ 'POST /images': { status: 201, body } });
    const user = createUser(stub);
    const file = join(user.home, 'verify.sql');
    const command = ['--insecure', 'images', 'create', '2017-05-01T12:00:00Z', '-', '--verify', file];
    expect(await user.run(command, { stdin: 'SELECT 1;' })).toMatchObject({
      code: 1,
      stderr: `error: cannot read ${file}: no such file or directory\n`,
    });
    expect(stub.seen).toEqual([]);
    writeFileSync(file, 'SELECT FROM people;\n');
    expect(await user.run(command, { stdin: 'SELECT 1;' })).toMatchObject({ code: 0 });
    expect(JSON.parse(stub.seen[0]?.body ?? '')).toMatchObject({
      data: {
        attributes: { anonymisation_script: 'SELECT 1;', verification_script: 'SELECT FROM people;\n' },
      },
    });
  });

  it('does not send a script that is missing or garbled', async () => {
    const stub = await startStubServer({});
    const user = createUser(stub);
    const file = join(user.home, 'anon.sql');
    const command = ['--insecure', 'images', 'create', '2017-05-01T12:00:00Z', file];
    expect(await user.run(command)).toMatchObject({
      code: 1,
      stderr: `error: cannot read ${file}: no such file or directory\n`,
    });
    writeFileSync(file, Buffer.from([0x27, 0xe9, 0x27]));
    const { code, stderr } = await user.run(command);
    expect(code).toBe(1);
    expect(stderr).toContain(`${file} is not UTF-8`);
    expect(stub.seen).toEqual([]);
  });

  it('finalises and destroys', async () => {
    const stub = await startStubServer({
      'POST /images/3/done': { status: 200, body: { data: imageResource(3) } },
      'DELETE /images/3': { status: 204 },
    });
    const user = createUser(stub);
    expect(await user.run(['--insecure', 'images', 'finalise', '3'])).toEqual({
      code: 0,
      stdout: ' 3 [ 2017-05-01T12:00:00Z - READY:  true ]\n',
      stderr: '',
    });
    expect(await user.run(['--insecure', 'images', 'destroy', '3'])).toMatchObject({ code: 0, stdout: '' });
    expect(stub.seen.map(({ line }) => line)).toEqual(['POST /images/3/done', 'DELETE /images/3']);
  });
});

describe('draupnir instances', () => {
  it('lists a line per instance', async () => {
    const body = { data: [instanceResource(4)] };
    const user = createUser(await startStubServer({ 'GET /instances': { status: 200, body } }));
    expect(await user.run(['--insecure', 'instances', 'list'])).toEqual({
      code: 0,
      stdout: ' 4 [ PORT: 16412 - 2017-05-01T16:00:00Z ]\n',
      stderr: '',
    });
  });

  it('creates one of the image named, or of the latest', async () => {
    const stub = await startStubServer({
      'GET /images': { status: 200, body: { data: [imageResource(5), imageResource(6, { ready: false })] } },
      'POST /instances': { status: 201, body: instanceDocument(4) },
    });
    const user = createUser(stub);
    const expected = { code: 0, stdout: ' 4 [ PORT: 16412 - 2017-05-01T16:00:00Z ]\n', stderr: '' };
    expect(await user.run(['--insecure', 'instances', 'create', '2'])).toEqual(expected);
    expect(await user.run(['--insecure', 'instances', 'create'])).toEqual(expected);
    const sent = stub.seen.filter(({ body }) => body !== '').map(({ body }) => JSON.parse(body) as unknown);
    expect(sent).toMatchObject([
      { data: { attributes: { image_id: '2' } } },
      { data: { attributes: { image_id: '5' } } },
    ]);
  });

  it('says when no image is ready', async () => {
    const body = { data: [imageResource(1, { ready: false })] };
    const user = createUser(await startStubServer({ 'GET /images': { status: 200, body } }));
    const { code, stdout, stderr } = await user.run(['--insecure', 'instances', 'create']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error: no image is ready\nhint: draupnir images list .*\n$/);
  });

  it('rotates: the line of the instance on stdout, and for the person what to do next', async () => {
    const stub = await startStubServer({
      'POST /instances/4/credentials': { status: 201, body: instanceDocument(4) },
    });
    const user = createUser(stub);
    const rotated = await user.run(['--insecure', 'instances', 'rotate', '4']);
    expect(rotated).toEqual({
      code: 0,
      stdout: ' 4 [ PORT: 16412 - 2017-05-01T16:00:00Z ]\n',
      stderr:
        'the old credentials are useless now, and sessions that used them have ended\n' +
        'for the new ones: eval "$(draupnir env 4)"\n',
    });
    expect(await user.run(['--insecure', 'instances', 'rotate', '5'])).toMatchObject({ code: 1, stdout: '' });
  });

  it('destroys', async () => {
    const user = createUser(await startStubServer({ 'DELETE /instances/4': { status: 204 } }));
    expect(await user.run(['--insecure', 'instances', 'destroy', '4'])).toMatchObject({
      code: 0,
      stdout: '',
    });
    expect(await user.run(['--insecure', 'instances', 'destroy', '5'])).toMatchObject({
      code: 1,
      stderr: 'error: Resource Not Found (no such stub)\n',
    });
  });
});

describe('draupnir env and new', () => {
  const answers = {
    'GET /images': { status: 200, body: { data: [imageResource(1)] } },
    'GET /instances/4': { status: 200, body: instanceDocument(4) },
    'POST /instances': { status: 201, body: instanceDocument(4) },
  };

  it.each([['env 4'], ['new']])('print one line and nothing else on stdout (%s)', async (command) => {
    const user = createUser(await startStubServer(answers));
    const { code, stdout } = await user.run(['--insecure', ...command.split(' ')]);
    expect(code).toBe(0);
    const directory = readdirSync(user.home).find((name) => name.startsWith('draupnir-4-')) ?? '';
    const path = join(user.home, directory);
    const [before, line] = stdout.split(' && export ');
    expect(before).toMatch(/^test .* unset PGSERVICE [A-Z ]+$/);
    expect(line).toBe(
      `PGHOST=db.example.com PGPORT=16412 PGUSER=draupnir PGPASSWORD='' PGDATABASE=postgres ` +
        `PGSSLMODE=verify-ca PGSSLROOTCERT='${path}/ca.crt' PGSSLCERT='${path}/client.crt' PGSSLKEY='${path}/client.key'\n`,
    );
    expect(readFileSync(join(path, 'client.key'), 'utf8')).toBe('the key\n');
    expect(statSync(join(path, 'client.key')).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['bash', '"$($draupnir --insecure env 4)"'],
    ['bash', '$($draupnir --insecure new)'],
    ['dash', '"$($draupnir --insecure new)"'],
    ['dash', '$($draupnir --insecure env 4)'],
  ])('work in %s as eval %s', async (shell, words) => {
    const user = createUser(await startStubServer(answers), "it's $HOME");
    const print =
      'printf "%s|" "$PGHOST" "$PGPORT" "$PGUSER" "$PGPASSWORD" "$PGDATABASE" "$(cat "$PGSSLKEY")"';
    const { stdout } = await user.runShell(shell, `PGPASSWORD=old; eval ${words}; ${print}`);
    expect(stdout).toBe("db.example.com|16412|draupnir||it's $HOME|the key|");
  });

  it.each([
    [2, 'behind', 'certificate is not yet valid'],
    [-2, 'ahead of', 'certificate has expired'],
  ])('warn of a clock that certificates are rejected by: %d h late', async (hours, how, error) => {
    const headers = { Date: new Date(Date.now() + hours * 3_600_000).toUTCString() };
    const late = Object.fromEntries(
      Object.entries(answers).map(([line, answer]) => [line, { ...answer, headers }]),
    );
    const user = createUser(await startStubServer(late));
    const warning =
      `warning: the clock of this machine is 2 h ${how} the server's\n` +
      `hint: set it: psql may fail with "${error}"\n`;
    const env = await user.run(['--insecure', 'env', '4']);
    expect(env).toMatchObject({ code: 0, stderr: warning });
    expect(await user.run(['--insecure', 'new'])).toMatchObject({
      code: 0,
      stderr: `created instance 4\n${warning}`,
    });
    expect((await user.run(['--insecure', 'images', 'list'])).stderr).toBe('');
  });

  it("take the caller's PGDATABASE when no database is set", async () => {
    const user = createUser(await startStubServer(answers));
    const { stdout } = await user.run(['--insecure', 'env', '4'], { env: { PGDATABASE: 'mine' } });
    expect(stdout).toContain(' PGDATABASE=mine ');
  });
});

describe('draupnir authenticate', () => {
  const token = {
    access_token: 'ya29',
    token_type: 'Bearer',
    refresh_token: '1/new',
    expiry: '2019-06-27T13:33:49Z',
  };

  it('shows the link, waits and stores the token', async () => {
    const stub = await startStubServer({ 'POST /access_tokens': { status: 201, body: token } });
    const user = new TestUser();
    await user.run(['config', 'set', 'domain', stub.domain]);
    const { code, stdout, stderr } = await user.run(['--insecure', 'authenticate']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    const state = new RegExp(`http://${stub.domain}/authenticate\\?state=([0-9a-f]{32})\n`).exec(stderr)?.[1];
    expect(JSON.parse(stub.seen[0]?.body ?? '')).toMatchObject({ data: { attributes: { state } } });
    expect(readFileSync(user.settingsFile, 'utf8')).toMatch(
      /AccessToken = "ya29"\nTokenType = "Bearer"\nRefreshToken = "1\/new"\nExpiry = 2019-06-27T13:33:49.000Z/,
    );
  });

  it('opens the browser at the link', async () => {
    const user = new TestUser();
    const seen = join(user.home, 'seen');
    const browser = join(user.home, 'browser');
    writeFileSync(browser, `#!/bin/sh\nprintf '%s' "$1" >'${seen}.part' && mv '${seen}.part' '${seen}'\n`);
    chmodSync(browser, 0o755);
    const stub = await startStubServer({
      'POST /access_tokens': (response) => {
        void vi
          .waitFor(() => readFileSync(seen), { timeout: 10_000 })
          .finally(() =>
            response.writeHead(201, { 'Content-Type': 'application/json' }).end(JSON.stringify(token)),
          );
      },
    });
    await user.run(['config', 'set', 'domain', stub.domain]);
    const { code, stderr } = await user.run(['--insecure', 'authenticate'], { env: { BROWSER: browser } });
    expect(code).toBe(0);
    const link = readFileSync(seen, 'utf8');
    expect(link).toMatch(new RegExp(`^http://${stub.domain}/authenticate\\?state=[0-9a-f]{32}$`));
    expect(stderr).toContain(`your browser should open; if it does not, visit this link: ${link}\n`);
  });

  it('says at once that the server cannot be reached', async () => {
    const user = new TestUser();
    await user.run(['config', 'set', 'domain', 'localhost:1']);
    const { code, stderr } = await user.run(['--insecure', 'authenticate'], { env: { BROWSER: 'true' } });
    expect(code).toBe(1);
    expect(stderr).toContain('localhost:1');
    expect(stderr).not.toContain('unhandled');
  });

  it('reports a server without sign-in, and opens no browser', async () => {
    const detail = 'users cannot sign in at this server: its one token is the shared secret';
    const body = apiError('sign_in_disabled', 'Sign-In Disabled', detail);
    const stub = await startStubServer({ 'POST /access_tokens': { status: 403, body } });
    const user = new TestUser();
    await user.run(['config', 'set', 'domain', stub.domain]);
    expect(await user.run(['--insecure', 'authenticate'])).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: Sign-In Disabled (${detail})\n`,
    });
  });

  it('does nothing for someone signed in, unless forced', async () => {
    const stub = await startStubServer({ 'POST /access_tokens': { status: 201, body: token } });
    const user = createUser(stub);
    const { code, stdout, stderr } = await user.run(['--insecure', 'authenticate']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain('already authenticated');
    expect(stub.seen).toEqual([]);

    expect((await user.run(['--insecure', 'authenticate', '--force'])).code).toBe(0);
    expect(readFileSync(user.settingsFile, 'utf8')).toContain('RefreshToken = "1/new"');
  });

  it('keeps the old token when no lasting one comes', async () => {
    const body = { ...token, refresh_token: '' };
    const user = createUser(await startStubServer({ 'POST /access_tokens': { status: 201, body } }));
    const { code, stderr } = await user.run(['--insecure', 'authenticate', '--force']);
    expect(code).toBe(1);
    expect(stderr).toContain('https://myaccount.google.com/permissions');
    expect(readFileSync(user.settingsFile, 'utf8')).toContain(TOKEN);
  });
});

describe('draupnir behind a proxy', () => {
  it('goes through the proxy of the environment, and past it where NO_PROXY names the host', async () => {
    const body = { data: [imageResource(1)] };
    const user = createUser(await startStubServer({ 'GET /images': { status: 200, body } }));
    const proxy = await startProxy();
    const env = { http_proxy: `http://${proxy.host}` };
    const list = ['--insecure', 'images', 'list'];
    expect((await user.run(list, { env: { ...env, NO_PROXY: 'localhost' } })).code).toBe(0);
    expect(proxy.seen).toEqual([]);
    expect((await user.run(list, { env })).code).toBe(0);
    expect(proxy.seen).toHaveLength(1);
  });

  it('leaves when the proxy opens no tunnel', async () => {
    const user = createUser({ domain: 'draupnir.invalid' });
    const proxy = await startProxy({ denial: 403 });
    const env = { HTTPS_PROXY: `http://ada:s3cret@${proxy.host}` };
    expect(await user.run(['images', 'list'], { env })).toEqual({
      code: 1,
      stdout: '',
      stderr:
        `error: cannot connect to https://draupnir.invalid: the proxy http://${proxy.host} refuses ` +
        'connections to draupnir.invalid (403)\n' +
        'hint: ask its operator, or exempt the server: NO_PROXY=draupnir.invalid\n',
    });
  });
});

describe('draupnir over TLS', () => {
  const answers = { 'GET /images': { status: 200, body: { data: [imageResource(1)] } } };
  const certificates = createTestCertificates();

  it('trusts whom the system trusts, whom NODE_EXTRA_CA_CERTS names, or anyone if told so', async () => {
    const stub = await startStubServer(answers, certificates);
    const user = createUser(stub);
    const authority = join(user.home, 'authority.pem');
    writeFileSync(authority, certificates.authority);
    const { code, stdout, stderr } = await user.run(['images', 'list']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('its certificate is not trusted\nhint: ');
    expect(stub.seen).toEqual([]);

    expect((await user.run(['images', 'list'], { env: { SSL_CERT_FILE: authority } })).code).toBe(0);
    expect((await user.run(['images', 'list'], { env: { NODE_EXTRA_CA_CERTS: authority } })).code).toBe(0);
    expect(await user.run(['--skip-verify', 'images', 'list'])).toMatchObject({ code: 0, stderr: '' });
  });

  it('refuses a certificate for another name', async () => {
    const { certificate, key, authority } = createTestCertificates(['other.example']);
    const user = createUser(await startStubServer(answers, { certificate, key, authority }));
    const file = join(user.home, 'authority.pem');
    writeFileSync(file, authority);
    const { code, stderr } = await user.run(['images', 'list'], { env: { NODE_EXTRA_CA_CERTS: file } });
    expect(code).toBe(1);
    expect(stderr).toContain('its certificate is for another name');
  });
});
