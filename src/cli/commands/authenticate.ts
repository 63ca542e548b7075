import type { Command } from 'commander';
import { openCommandSession } from '../command-session.ts';
import { printNotice } from '../output.ts';

/** A refusal takes a round trip, not the seconds of a sign-in: how long to wait for it, in milliseconds. */
const REFUSAL_MS = 250;

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
  const [token] = await Promise.all([
    waiting,
    openBrowserUnlessRefused(client.getSignInUrl(state), refused.signal),
  ]);

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
 * Opens the browser, unless `refused` fires before: the server cannot be reached, or does not wait. The link is shown in
 * any case, since nothing reports whether a window appeared, and on whose screen.
 */
async function openBrowserUnlessRefused(url: string, refused: AbortSignal): Promise<void> {
  const { setTimeout } = await import('node:timers/promises');
  await setTimeout(REFUSAL_MS, undefined, { signal: refused }).catch(() => undefined);
  if (refused.aborted) return;
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
