import { randomBytes } from 'node:crypto';
import type { FakeGoogle, GoogleAccount } from '../../support/google.ts';
import { type Answer, type Api, type ApiRequest, withToken } from './api.ts';

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
