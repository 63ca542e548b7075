import { open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Cli } from './support/cli.ts';
import { run } from './support/command.ts';
import { DEVELOPER, getInstallation, UPLOAD_USER } from './support/installation.ts';
import { useServer } from './support/use-server.ts';

/** Contract: command line, "Settings file": shared with the client of the original, both ways. */
useServer();

/** As Go's encoder writes it, a table's keys indented. */
const TOML = (domain: string): string => `Domain = "${domain}"
Database = "my_app"

[Token]
  AccessToken = "ya29.a0AfH6SMBx-access-token"
  TokenType = "Bearer"
  RefreshToken = "${DEVELOPER}"
  Expiry = 2019-06-27T14:33:49.123456789+01:00
`;
/** As the versions before wrote it. */
const JSON_FORM = (domain: string): string =>
  JSON.stringify({
    Domain: domain,
    Database: 'my_app',
    Token: {
      access_token: 'ya29.a0AfH6SMBx-access-token',
      token_type: 'Bearer',
      refresh_token: DEVELOPER,
      expiry: '2019-06-27T14:33:49.123456789+01:00',
    },
  });

/** What `config show` prints where nothing is set. */
const DEFAULTS = 'Domain: set-me-to-a-real-domain\nAccess Token: ****\nDatabase: \n';

/** Somebody whose settings are where they are by default. */
const HOME_ONLY = { env: { DRAUPNIR_SETTINGS: '' } };

describe.each([
  ['TOML', TOML],
  ['the older JSON', JSON_FORM],
])('settings of the original in %s', (_form, format) => {
  it('work as they are, and are left alone by commands that only read', async () => {
    const cli = await Cli.createWithoutSettings();
    const domain = `localhost:${getInstallation().httpsPort}`;
    const file = await cli.writeFile('.draupnir', format(domain));
    expect((await cli.run(['images', 'list'], HOME_ONLY)).stdout).toContain('READY:  true');
    expect(await cli.run(['config', 'show'], HOME_ONLY)).toEqual({
      exitCode: 0,
      stdout: `Domain: ${domain}\nAccess Token: ya29.a0AfH****\nDatabase: my_app\n`,
      stderr: '',
    });
    expect(await readFile(file, 'utf8')).toBe(format(domain));
  });

  it('are rewritten as TOML with the keys that the original reads, losing nothing', async () => {
    const cli = await Cli.createWithoutSettings();
    const file = await cli.writeFile('.draupnir', format('old.example.com'));
    const outcome = await cli.run(['config', 'set', 'domain', 'draupnir.example.com:8443'], HOME_ONLY);
    expect(outcome).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect(await readFile(file, 'utf8')).toBe(`Domain = "draupnir.example.com:8443"
Database = "my_app"

[Token]
AccessToken = "ya29.a0AfH6SMBx-access-token"
TokenType = "Bearer"
RefreshToken = "${DEVELOPER}"
Expiry = 2019-06-27T13:33:49.123Z
`);
    // What was written is read again.
    expect((await cli.run(['config', 'show'], HOME_ONLY)).stdout).toBe(
      'Domain: draupnir.example.com:8443\nAccess Token: ya29.a0AfH****\nDatabase: my_app\n',
    );
  });
});

describe('the settings file', () => {
  it('is made at first use, for its owner alone, whatever the umask', async () => {
    const cli = await Cli.createWithoutSettings();
    const script = `umask 0000; exec "${getInstallation().program}" config show`;
    const { stdout } = await cli.execute(['bash', '-c', script], HOME_ONLY);
    expect(stdout).toBe('Domain: set-me-to-a-real-domain\nAccess Token: ****\nDatabase: \n');
    const file = `${cli.dir}/.draupnir`;
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'utf8')).toMatch(/^Domain = "set-me-to-a-real-domain"\n/);
  });

  it('is replaced as a whole: who reads the old one reads it to its end', async () => {
    const cli = await Cli.createWithoutSettings();
    const before = TOML('old.example.com');
    const file = await cli.writeFile('.draupnir', before);
    await run(['chmod', '0644', file]);
    await using reader = await open(file);
    const { stderr } = await cli.run(['config', 'set', 'database', 'other'], HOME_ONLY);
    expect(stderr).toContain('is open to other users');
    expect(await reader.readFile('utf8')).toBe(before);
    expect((await stat(file)).ino).not.toBe((await reader.stat()).ino);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'utf8')).toContain('Database = "other"\n');
    expect(await readdir(cli.dir)).toEqual(['.draupnir']);
  });

  it('survives a directory that cannot be written to', async () => {
    const cli = await Cli.createWithoutSettings();
    const file = await cli.writeFile('.draupnir', TOML('old.example.com'));
    await run(['chmod', '0500', cli.dir]);
    const { exitCode, stdout, stderr } = await cli.run(['config', 'set', 'database', 'other'], HOME_ONLY);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^error: cannot write .*\.draupnir: permission denied\n/);
    expect(await readFile(file, 'utf8')).toBe(TOML('old.example.com'));
  });

  it('is not needed to read: with a home that is missing or read-only', async () => {
    const cli = await Cli.createWithoutSettings();
    const shown = { exitCode: 0, stdout: DEFAULTS, stderr: '' };
    await run(['chmod', '0500', cli.dir]);
    for (const HOME of [cli.dir, `${cli.dir}/missing`, '/dev/null']) {
      const options = { env: { ...HOME_ONLY.env, HOME } };
      expect(await cli.run(['config', 'show'], options)).toEqual(shown);
      expect(await cli.run(['images', 'list'], options)).toEqual({
        exitCode: 78,
        stdout: '',
        stderr: `error: ${HOME}/.draupnir: no server is set\nhint: draupnir config set domain draupnir.example.com\n`,
      });
      const { exitCode, stderr } = await cli.run(['config', 'set', 'database', 'x'], options);
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/^error: cannot write .*\nhint: DRAUPNIR_SETTINGS=FILE .*\n$/);
    }
    expect(await readdir(cli.dir)).toEqual([]);
  });

  it('is in the home of the password database when HOME is empty, and nowhere without one', async () => {
    const cli = await Cli.createWithoutSettings();
    const { program } = getInstallation();
    const show = async (argv: readonly string[], user: string) => {
      const script = `cd '${cli.dir}' && exec "$@"`;
      const env = { ...HOME_ONLY.env, HOME: '' };
      return cli.execute(['bash', '-c', script, 'bash', ...argv], { user, env });
    };
    expect(await show([program, 'config', 'show'], UPLOAD_USER)).toMatchObject({
      exitCode: 0,
      stdout: DEFAULTS,
    });
    // No user has this id.
    const unknownUser = [
      'setpriv',
      '--reuid=2999999999',
      '--regid=2999999999',
      '--clear-groups',
      '--',
      program,
    ];
    expect(await show([...unknownUser, 'config', 'show'], 'root')).toEqual({
      exitCode: 0,
      stdout: DEFAULTS,
      stderr: '',
    });
    expect(await show([...unknownUser, 'config', 'set', 'database', 'x'], 'root')).toEqual({
      exitCode: 78,
      stdout: '',
      stderr:
        'error: there is no home directory to keep the settings in\n' +
        'hint: DRAUPNIR_SETTINGS=FILE keeps the settings in another file\n',
    });
    expect(await readdir(cli.dir)).toEqual([]);
    const home = (await run(['getent', 'passwd', UPLOAD_USER])).split(':')[5] ?? '';
    expect(await readdir(home)).toContain('.draupnir');
    await rm(`${home}/.draupnir`);
    await expect(stat('/.draupnir')).rejects.toThrow('ENOENT');
  });

  it('must be writable before a sign-in begins', async () => {
    const cli = await Cli.createWithoutSettings();
    await cli.writeFile('.draupnir', TOML('localhost:9').replace(DEVELOPER, ''));
    await run(['chmod', '0500', cli.dir]);
    const { exitCode, stderr } = await cli.run(['authenticate'], HOME_ONLY);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: cannot write .*\.draupnir: permission denied\nhint: /);
  });

  it.each([
    ['no TOML', 'Domain = = "x"\nRefreshToken = "the-secret-token"'],
    ['no JSON', '{"Token": {"refresh_token": "the-secret-token"'],
    ['a token that is no table', 'Token = "the-secret-token"'],
  ])('with %s is refused without showing what it holds, and kept', async (_what, text) => {
    const cli = await Cli.createWithoutSettings();
    const file = await cli.writeFile('.draupnir', text);
    for (const args of [
      ['images', 'list'],
      ['config', 'set', 'database', 'x'],
    ]) {
      const { exitCode, stdout, stderr } = await cli.run(args, HOME_ONLY);
      expect({ exitCode, stdout }).toEqual({ exitCode: 78, stdout: '' });
      expect(stderr).toContain(file);
      expect(stderr).not.toContain('the-secret');
    }
    expect(await readFile(file, 'utf8')).toBe(text);
  });
});
