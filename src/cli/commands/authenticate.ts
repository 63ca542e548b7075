import type { Command } from 'commander';
import { openCommandSession } from '../command-session.ts';
import { printNotice } from '../output.ts';

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

  const { randomBytes } = await import('node:crypto');
  const state = randomBytes(16).toString('hex');
  // Together: the server refuses to wait, or cannot be reached, while the browser is still starting.
  const [token] = await Promise.all([
    client.createAccessToken(state),
    openBrowser(client.getSignInUrl(state)),
  ]);

  if (token.refresh_token === '') {
    const { CliError } = await import('../failure.ts');
    throw new CliError('Google gave no token that lasts', {
      hint: 'remove Draupnir at https://myaccount.google.com/permissions and authenticate again',
    });
  }
  const { getSettingsFile, updateSettings } = await import('../settings-file.ts');
  // Minutes may have passed: change the file as it is now.
  await updateSettings(getSettingsFile(), (current) => {
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

/** Opens the browser. The link is shown in any case: whether a window appeared, and on whose screen, nobody tells us. */
async function openBrowser(url: string): Promise<void> {
  try {
    const { default: open } = await import('open');
    const browser = await open(url);
    // Not being able to start is told before; what comes after, the link makes up for.
    browser.on('error', () => undefined);
    printNotice(`your browser should open; if it does not, visit this link: ${url}`);
  } catch {
    printNotice(`visit this link in your browser: ${url}`);
  }
}
