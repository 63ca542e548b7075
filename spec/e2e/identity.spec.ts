import { describe, expect, inject, it } from 'vitest';
import { withToken } from './support/api.ts';
import { Cli } from './support/cli.ts';
import { getInstallation } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { authenticate, readToken, signIn } from './support/sign-in.ts';
import { useGoogleServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

/** The cleaner has its rounds all the time. */
const server = useGoogleServer({ cleanInterval: '1s' });

describe('a provider that is down', () => {
  it('stops nobody who is known, and tells others so; nothing is destroyed', async () => {
    const known = await authenticate(server, 'known@example.com');
    const id = Number((await known.cli.run(['instances', 'create'])).stdout.trim().split(' ')[0]);
    const { cli: unknown } = await authenticate(server, 'unknown@example.com');
    for (const fault of ['down', 'error', 'garbage'] as const) {
      server.google.faults.token = fault;
      const seen = server.google.requests.length;
      try {
        expect(await known.cli.listInstanceIds()).toEqual([id]);
        expect(await unknown.run(['images', 'list'])).toEqual({
          exitCode: 1,
          stdout: '',
          stderr: expect.stringMatching(/^error: Identity Provider Unavailable \(.+\)\n/) as unknown,
        });
        const token = withToken(server.google.grant({ email: 'third@example.com', verified: true }));
        const answer = await server.api.send('GET', '/images', { as: token });
        expect(answer).toMatchObject({ status: 503, json: { id: 'identity_provider_unavailable' } });
        expect(answer.headers['retry-after']).toMatch(/^[1-9]/);
        // The two above, and a round of the cleaner.
        await waitUntil('the cleaner asks', () => Promise.resolve(server.google.requests.length > seen + 2));
      } finally {
        server.google.faults.token = undefined;
      }
    }
    expect((await unknown.run(['images', 'list'])).exitCode).toBe(0);
    expect(await known.cli.listInstanceIds()).toEqual([id]);
  });
});

describe('one whose access was taken back', () => {
  it('is told to sign in, and loses the instances', async () => {
    const { cli } = await authenticate(server, 'left@example.com');
    const grant = server.google.grants.at(-1) ?? '';
    const { stdout } = await cli.run(['instances', 'create']);
    const id = Number(stdout.trim().split(' ')[0]);
    const bystander = await server.api.createInstance(
      inject('e2e').imageId,
      await signIn(server.api, server.google, { email: 'stays@example.com', verified: true }),
    );
    server.google.revoke(grant);
    await waitUntil('the instance is destroyed', async () => {
      return (await queryMetadata(`SELECT count(*) FROM instances WHERE id = ${id}`)) === '0';
    });
    expect(await cli.run(['instances', 'list'])).toEqual({
      exitCode: 1,
      stdout: '',
      stderr:
        'error: Unauthorized (You do not have permission to view this resource)\n' +
        'hint: sign in: draupnir authenticate --force; ' +
        'a bot needs the shared secret as Token.RefreshToken in its settings file\n',
    });
    expect(await queryMetadata(`SELECT count(*) FROM instances WHERE id = ${bystander.id}`)).toBe('1');
  });
});

describe('a client that holds a refresh token of Google', () => {
  it('goes on working', async () => {
    const cli = await Cli.create('nobody');
    const token = server.google.grant({ email: 'old@example.com', verified: true });
    const domain = `localhost:${getInstallation().httpsPort}`;
    await cli.writeFile('settings', `Domain = "${domain}"\n[Token]\n  RefreshToken = "${token}"\n`);
    expect((await cli.run(['images', 'list'])).stdout).toContain('READY:  true');
  });
});

describe('the server', () => {
  it('has written no token, code, secret or state into its log or its database', async () => {
    const { cli, outcome } = await authenticate(server, 'ada@example.com');
    const log = JSON.stringify(await server.process.readLog());
    const rows = await queryMetadata(`SELECT s, encode(google_refresh_token, 'escape') FROM sessions s`);
    const state = /state=([0-9a-f]+)/.exec(outcome.stderr)?.[1] ?? '';
    const secrets = [await readToken(cli), server.google.clientSecret, state, ...server.google.grants];
    expect(log).toContain('ada@example.com');
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(10);
      expect(log).not.toContain(secret);
      expect(rows).not.toContain(secret);
    }
    expect(log + rows).not.toMatch(/ya29\.|drp_|1\/\//);
  });
});
