import { writeFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { imageResource, instanceDocument } from '../../support/cli/resources.ts';
import { createUser, TestUser } from '../../support/cli/run-command-line.ts';
import { apiError, startStubServer } from '../../support/cli/stub-server.ts';

// Each test starts the program a few times, at a tenth of a second or more on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

/** Nothing listens there: the discard port. */
const DOWN = { domain: 'localhost:9' };

describe('draupnir new and env, when they fail', () => {
  it.each([
    [['env'], "missing required argument 'id'"],
    [['env', '1;id'], 'an id is a whole number such as 3'],
    [['env', '1', '2'], 'too many arguments'],
    [['new', 'more'], 'too many arguments'],
    [['new', '--bogus'], "unknown option '--bogus'"],
    [['--bogus', 'env', '4'], "unknown option '--bogus'"],
    [['nwe'], "unknown command 'nwe'"],
    [['evn', '4'], "unknown command 'evn'"],
  ])('print false for a wrong command line: %j', async (args, reason) => {
    const { code, stdout, stderr } = await new TestUser().run(args);
    expect({ code, stdout }).toEqual({ code: 64, stdout: 'false\n' });
    expect(stderr).toContain(reason);
  });

  it.each([['new'], ['env 4']])('print false when the server is down, or refuses (%s)', async (command) => {
    const args = ['--insecure', ...command.split(' ')];
    const down = await createUser(DOWN).run(args);
    expect(down).toMatchObject({ code: 1, stdout: 'false\n' });
    expect(down.stderr).toContain('connection refused');

    const body = apiError('invalid_api_version', 'Invalid API Version', 'does not match');
    const answer = { status: 400, body };
    const stub = await startStubServer({ 'GET /images': answer, 'GET /instances/4': answer });
    expect(await createUser(stub).run(args)).toEqual({
      code: 1,
      stdout: 'false\n',
      stderr: 'error: Invalid API Version (does not match)\n',
    });
  });

  it.each([
    ['cannot be understood', '= = ='],
    ['name no server', ''],
    ['hold a token that is none', 'Domain = "localhost:9"\n[Token]\nRefreshToken = "a b"\n'],
  ])('print false when the settings %s', async (_what, settings) => {
    const user = new TestUser();
    writeFileSync(user.settingsFile, settings, { mode: 0o600 });
    const { code, stdout } = await user.run(['new']);
    expect(code).toBeGreaterThan(0);
    expect(stdout).toBe('false\n');
  });

  it('print false when the certificates cannot be stored, and say which instance there is', async () => {
    const stub = await startStubServer({
      'GET /images': { status: 200, body: { data: [imageResource(1)] } },
      'POST /instances': { status: 201, body: instanceDocument(4) },
    });
    const env = { TMPDIR: '/nonexistent' };
    expect(await createUser(stub).run(['--insecure', 'new'], { env })).toEqual({
      code: 1,
      stdout: 'false\n',
      stderr:
        'created instance 4\n' +
        'error: cannot write /nonexistent/draupnir-4-XXXXXX: no such file or directory\n' +
        'hint: TMPDIR=DIRECTORY keeps the certificates in another directory\n',
    });
  });
});

describe('a shell', () => {
  const go = 'echo "went to $PGHOST"';

  it.each([
    ['bash', `eval "$($draupnir new)" && ${go}`],
    ['bash', `eval $($draupnir new) && ${go}`],
    ['bash', `set -e; eval "$($draupnir new)"; ${go}`],
    ['dash', `eval "$($draupnir new)" && ${go}`],
    ['dash', `set -e; eval "$($draupnir env 4)"; ${go}`],
    ['zsh', `setopt shwordsplit; eval "$($draupnir new)" && ${go}`],
    ['zsh', `setopt shwordsplit; set -e; eval "$($draupnir env 4)"; ${go}`],
    ['fish', `eval (eval $draupnir new); and ${go}`],
    ['fish', `eval $draupnir env 4 | source; and ${go}`],
  ])('connects nowhere when the server is down: %s: %s', async (shell, script) => {
    const { code, stdout, stderr } = await createUser(DOWN).runShell(shell, script, {
      env: { PGHOST: 'prod' },
    });
    expect(code).not.toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^error: cannot connect to .*\n/);
  });
});
