import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { openCommandSession } from '../command-session.ts';
import { printNotice } from '../output.ts';

/** How far the sign-in is ahead of the request by which a refusal must have arrived, in milliseconds. */
const LEAD_MS = 100;

/** Adds `draupnir authenticate`, which signs in by way of the browser and stores the token. */
export function addAuthenticateCommand(program: Command): void {
  program
    .command('authenticate')
    .description('sign in with Google')
    .option('--force', 'sign in again')
    .action(authenticate);
}

async function authenticate({ force }: { force?: boolean }, command: Command): Promise<void> {
  const { settings, client } = await openCommandSession(command);
  if (settings.token.refreshToken !== '' && force !== true) {
    printNotice('you are already authenticated; --force does it again');
    return;
  }

  const { getSettingsFile, requireWritable, updateSettings } = await import('../settings-file.ts');
  const file = getSettingsFile();
  // Before the user has gone through the sign-in for nothing.
  await requireWritable(file);

  const { randomBytes } = await import('node:crypto');
  const state = randomBytes(16).toString('hex');
  const refused = new AbortController();
  const waiting = client.createAccessToken(state).catch((error: unknown) => {
    refused.abort();
    throw error;
  });
  const [token] = await Promise.all([waiting, openBrowserUnlessRefused(client, state, refused.signal)]);

  if (token.refresh_token === '') {
    const { CliError } = await import('../failure.ts');
    throw new CliError('Google gave no token that lasts', {
      hint: 'remove Draupnir at https://myaccount.google.com/permissions and authenticate again',
    });
  }
  // Minutes may have passed: change the file as it is now.
  await updateSettings(file, (current) => {
    const expiry = new Date(token.expiry);
    current.token = {
      accessToken: token.access_token,
      tokenType: token.token_type,
      refreshToken: token.refresh_token,
      expiry: Number.isNaN(expiry.getTime()) ? undefined : expiry,
    };
  });
  printNotice('successfully authenticated');
}

/**
 * Opens the browser, unless `refused` fires before: the server cannot be reached, or does not wait. The server
 * refuses at once: when it has answered a later request, it waits for the user. The link is shown in any case,
 * since nothing reports whether a window appeared, and on whose screen.
 */
async function openBrowserUnlessRefused(
  client: ApiClient,
  state: string,
  refused: AbortSignal,
): Promise<void> {
  const { setTimeout } = await import('node:timers/promises');
  await setTimeout(LEAD_MS, undefined, { signal: refused }).catch(() => undefined);
  if (!refused.aborted) await client.awaitAnswer();
  if (refused.aborted) return;
  const url = client.getSignInUrl(state);
  try {
    const { default: open } = await import('open');
    const browser = await open(url);
    // A browser that cannot be started is reported before; what comes after, the link makes up for.
    browser.on('error', () => undefined);
    printNotice(`your browser should open; if it does not, visit this link: ${url}`);
  } catch {
    printNotice(`visit this link in your browser: ${url}`);
  }
}
