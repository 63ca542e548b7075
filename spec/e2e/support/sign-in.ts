import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { FakeGoogle, GoogleAccount } from '../../support/google.ts';
import { type Answer, type Api, type ApiRequest, withToken } from './api.ts';
import { Cli } from './cli.ts';
import type { Outcome, Running } from './command.ts';
import { waitUntil } from './wait.ts';

/** A browser names neither a version nor a token. */
const BROWSER: ApiRequest = { as: 'none', version: null };

export function createState(): string {
  return randomBytes(16).toString('hex');
}

/** What a browser does with the link of the client up to the consent; resolves to the path it is sent back to. */
export async function consent(api: Api, google: FakeGoogle, link: string): Promise<string> {
  const answer = await openPage(api, link);
  const { location } = answer.headers;
  if (answer.status !== 302 || location === undefined) {
    throw new Error(`no redirect: ${answer.status} ${answer.text}`);
  }
  return (await google.consent(location)).href;
}

/** Opens a page of the server, named by its address or its path. */
export function openPage(api: Api, address: string): Promise<Answer> {
  const { pathname, search } = new URL(address, 'https://localhost');
  return api.send('GET', pathname + search, BROWSER);
}

/** What a client does: waits for the token of a state. */
export function waitForToken(api: Api, state: string): Promise<Answer> {
  const body = { data: { type: 'access_tokens', attributes: { state } } };
  return api.send('POST', '/access_tokens', { as: 'none', body });
}

/** A whole sign-in of an account; resolves to one who sends the token. */
export async function signIn(
  api: Api,
  google: FakeGoogle,
  account: GoogleAccount,
): Promise<{ authorization: string }> {
  google.account = account;
  const state = createState();
  const page = await openPage(api, await consent(api, google, `/authenticate?state=${state}`));
  if (page.status !== 200) throw new Error(`no sign-in: ${page.status} ${page.text}`);
  // The outcome is kept for a client that comes only now.
  const answer = await waitForToken(api, state);
  return withToken((answer.json as { refresh_token: string }).refresh_token);
}

/** Where people sign in. */
interface Site {
  api: Api;
  google: FakeGoogle;
}

/** The environment of somebody without a browser. */
export const NO_BROWSER = { env: { PATH: '/nonexistent' } };

/** The link that `draupnir authenticate` prints while it waits. */
export function waitForLink(running: Running): Promise<string> {
  return waitUntil('the link is printed', () =>
    Promise.resolve(/visit this link[^:]*: (https:\S+)\n/.exec(running.stderr)?.[1]),
  );
}

/** Signs somebody in by the program, at a terminal and a browser. */
export async function authenticate(
  { api, google }: Site,
  email: string,
): Promise<{ cli: Cli; outcome: Outcome }> {
  const cli = await Cli.create('nobody');
  google.account = { email, verified: true };
  const running = cli.start(['authenticate'], NO_BROWSER);
  const link = await waitForLink(running);
  const page = await openPage(api, await consent(api, google, link));
  if (page.status !== 200) throw new Error(`no sign-in: ${page.status} ${page.text}`);
  return { cli, outcome: await running.outcome };
}

/** The token that the program has stored. */
export async function readToken(cli: Cli): Promise<string> {
  return /RefreshToken = "([^"]*)"/.exec(await readFile(cli.settings, 'utf8'))?.[1] ?? '';
}
