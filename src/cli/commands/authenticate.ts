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
  // Wait first, show the link then: the server hands the token only to someone who is waiting for it.
  const waiting = client.createAccessToken(state);
  printNotice(`visit this link in your browser: ${client.getSignInUrl(state)}`);
  const token = await waiting;

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
