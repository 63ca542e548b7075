import { readFile, stat } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { FakeGoogle } from '../support/google.ts';
import { VERSION } from './support/api.ts';
import { Cli } from './support/cli.ts';
import { run } from './support/command.ts';
import { ERRORS, expectAnswer } from './support/contract.ts';
import { getInstallation } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import {
  authenticate,
  consent,
  createState,
  NO_BROWSER,
  openPage,
  readToken,
  waitForLink,
  waitForToken,
} from './support/sign-in.ts';
import { useGoogleServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

const server = useGoogleServer();

const OAUTH_FAILURE = {
  exitCode: 1,
  stdout: '',
  stderr: expect.stringMatching(/\nerror: OAuth Error \(There was some oauth error\)\n$/) as unknown,
};

const NO_FAULTS = { token: undefined, tokeninfo: undefined };

describe('draupnir authenticate', () => {
  it('prints the link, waits for the browser, and stores a token with which all the rest works', async () => {
    const { cli, outcome } = await authenticate(server, 'ada@example.com');
    expect({ ...outcome, stderr: '' }).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect(outcome.stderr).toMatch(
      new RegExp(
        `^visit this link in your browser: https://localhost:${getInstallation().httpsPort}/authenticate` +
          '\\?state=[0-9a-f]{32}\nsuccessfully authenticated\n$',
      ),
    );
    expect(await readFile(cli.settings, 'utf8')).toMatch(
      new RegExp(
        `^Domain = "localhost:${getInstallation().httpsPort}"\nDatabase = "shop"\n\n\\[Token\\]\n` +
          'AccessToken = "drp_[\\w-]{43}"\nTokenType = "Bearer"\nRefreshToken = "drp_[\\w-]{43}"\n' +
          'Expiry = \\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.000Z\n$',
      ),
    );
    expect((await stat(cli.settings)).mode & 0o777).toBe(0o600);

    expect((await cli.run(['images', 'list'])).stdout).toContain('READY:  true');
    const script = `eval "$(draupnir new)" && psql -X -A -t -c 'SELECT count(*) FROM customers'`;
    expect(await cli.bash(script)).toMatchObject({ exitCode: 0, stdout: '60\n' });
    expect(await cli.listInstanceIds()).toHaveLength(1);
  });

  it('opens the browser of the desktop with the link', async () => {
    const cli = await Cli.create('nobody');
    const opened = `${cli.dir}/opened`;
    // Another name first: a reader sees the whole address or none.
    await cli.writeFile(
      'xdg-open',
      `#!/bin/sh\nprintf %s "$1" >${opened}.new && mv ${opened}.new ${opened}\n`,
    );
    await run(['chmod', '0700', `${cli.dir}/xdg-open`]);
    server.google.account = { email: 'ada@example.com', verified: true };
    const running = cli.start(['authenticate'], { env: { PATH: `${cli.dir}:/usr/bin:/bin` } });
    const link = await waitUntil('the browser is opened', () =>
      readFile(opened, 'utf8').catch(() => undefined),
    );
    await openPage(server.api, await consent(server.api, server.google, link));
    const { exitCode, stderr } = await running.outcome;
    expect({ exitCode, link }).toEqual({ exitCode: 0, link: await waitForLink(running) });
    expect(stderr).toContain('successfully authenticated\n');
  });

  it('keeps two people apart who sign in at the same time', async () => {
    const people = [];
    for (const email of ['ada@example.com', 'bob@example.com']) {
      const cli = await Cli.create('nobody');
      const running = cli.start(['authenticate'], NO_BROWSER);
      people.push({ email, cli, running, link: await waitForLink(running) });
    }
    const pages = [];
    for (const { email, link } of people) {
      server.google.account = { email, verified: true };
      pages.push(await consent(server.api, server.google, link));
    }
    for (const page of pages.reverse()) expect((await openPage(server.api, page)).status).toBe(200);
    for (const { email, cli, running } of people) {
      expect((await running.outcome).exitCode).toBe(0);
      const { stdout } = await cli.run(['instances', 'create']);
      const id = Number(stdout.trim().split(' ')[0]);
      expect(await queryMetadata(`SELECT user_email FROM instances WHERE id = ${id}`)).toBe(email);
    }
    const [ada, bob] = await Promise.all(people.map(({ cli }) => cli.listInstanceIds()));
    expect(ada?.filter((id) => bob?.includes(id))).toEqual([]);
  });

  it('does nothing for one who is signed in, unless forced', async () => {
    const { cli } = await authenticate(server, 'ada@example.com');
    const token = await readToken(cli);
    expect(await cli.run(['authenticate'], NO_BROWSER)).toEqual({
      exitCode: 0,
      stdout: '',
      stderr: 'you are already authenticated; --force does it again\n',
    });
    expect(await readToken(cli)).toBe(token);

    const running = cli.start(['authenticate', '--force'], NO_BROWSER);
    await openPage(server.api, await consent(server.api, server.google, await waitForLink(running)));
    expect((await running.outcome).exitCode).toBe(0);
    expect(await readToken(cli)).not.toBe(token);
    expect((await cli.run(['instances', 'list'])).exitCode).toBe(0);
  });

  it('tells that the server cannot be reached', async () => {
    const cli = await Cli.create('nobody');
    await cli.run(['config', 'set', 'domain', 'localhost:1']);
    const { exitCode, stderr } = await cli.run(['authenticate'], NO_BROWSER);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('error: cannot connect to https://localhost:1: connection refused\n');
  });
});

describe('a sign-in that comes to nothing', () => {
  const account = (email: string, verified = true) => ({ account: { email, verified } });
  const failures: [string, number, string, Partial<FakeGoogle>][] = [
    ['consent is denied', 403, 'You did not consent', { consents: false }],
    ['no refresh token comes', 422, 'myaccount.google.com/connections', { givesRefreshToken: false }],
    ['the account is of another domain', 403, 'may not use Draupnir', account('ada@evilexample.com')],
    ['nobody verified the address', 403, 'may not use Draupnir', account('ada@example.com', false)],
    ['the token is for another program', 403, 'may not use Draupnir', { audience: 'another' }],
    ['Google fails', 502, 'could not sign you in', { faults: { token: 'error', tokeninfo: undefined } }],
  ];

  it.each(failures)(
    'since %s is told at the browser and at the terminal',
    async (_what, status, text, odd) => {
      const usual = {
        ...account('ada@example.com'),
        consents: true,
        givesRefreshToken: true,
        audience: server.google.clientId,
      };
      Object.assign(server.google, usual, odd, { faults: { ...NO_FAULTS, ...odd.faults } });
      try {
        const cli = await Cli.create('nobody');
        const running = cli.start(['authenticate'], NO_BROWSER);
        const back = await consent(server.api, server.google, await waitForLink(running));
        const page = await openPage(server.api, back);
        expect(page.status).toBe(status);
        expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
        expect(page.text).toContain(text);
        expect(await running.outcome).toEqual(OAUTH_FAILURE);
        expect(await readToken(cli)).toBe('');
      } finally {
        Object.assign(server.google, usual, { faults: { ...NO_FAULTS } });
      }
    },
  );
});

describe('a state', () => {
  it('serves once, cannot be guessed, and the client that waits is not disturbed', async () => {
    server.google.account = { email: 'ada@example.com', verified: true };
    const cli = await Cli.create('nobody');
    const running = cli.start(['authenticate'], NO_BROWSER);
    const back = await consent(server.api, server.google, await waitForLink(running));
    const used = await consent(server.api, server.google, `/authenticate?state=${createState()}`);
    expect((await openPage(server.api, used)).status).toBe(200);
    const exchanges = server.google.requests.filter((line) => line.includes('authorization_code')).length;
    for (const path of [
      used,
      `/oauth_callback?state=${createState()}&code=x`,
      `/oauth_callback?state=${encodeURIComponent('<script>alert(1)</script>')}&error=<b>`,
      '/oauth_callback?code=x',
      '/oauth_callback',
      '/oauth_callback?state=%E0%A4%A',
    ]) {
      const page = await openPage(server.api, path);
      expect([path, page.status]).toEqual([path, 400]);
      expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
      expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; /);
      expect(page.headers['draupnir-version']).toBe(VERSION);
      expect(page.text).not.toMatch(/<script>|<b>/);
    }
    expect(server.google.requests.filter((line) => line.includes('authorization_code'))).toHaveLength(
      exchanges,
    );
    expect((await openPage(server.api, back)).status).toBe(200);
    expect((await running.outcome).exitCode).toBe(0);
  });

  it('that nobody waits for yet keeps its token for the client that comes', async () => {
    server.google.account = { email: 'ada@example.com', verified: true };
    const state = createState();
    const link = `/authenticate?state=${state}`;
    expect((await openPage(server.api, await consent(server.api, server.google, link))).status).toBe(200);
    expectAnswer(await waitForToken(server.api, state), {
      status: 201,
      body: {
        access_token: expect.stringMatching(/^drp_/) as unknown,
        token_type: 'Bearer',
        refresh_token: expect.stringMatching(/^drp_/) as unknown,
        expiry: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as unknown,
      },
    });
    expectAnswer(await waitForToken(server.api, state), { status: 400, body: ERRORS.oauth });
  });

  it.each(['', 'short', '1298498081', '<script>', 'x'.repeat(300), 'é'.repeat(20)])(
    'such as %j is refused',
    async (state) => {
      expectAnswer(await waitForToken(server.api, state), { status: 400, body: ERRORS.oauth });
      const page = await openPage(server.api, `/authenticate?state=${encodeURIComponent(state)}`);
      expect(page.status).toBe(400);
      expect(page.text).not.toContain('<script>');
    },
  );
});
