import type { FastifyReply } from 'fastify';
import { LoginFailure, type LoginFailureKind } from '../core/login.ts';
import { noteSignIn } from './audit.ts';
import { type Page, sendPage } from './page.ts';
import { getNotes } from './request-notes.ts';

interface FailurePage {
  status: number;
  title: string;
  paragraphs: string[];
}

const AGAIN = 'Run "draupnir authenticate" again.';

/** What a person at the browser is told, and the status that goes with it. */
const FAILURES: Record<LoginFailureKind, FailurePage> = {
  weak_state: {
    status: 400,
    title: 'This link cannot be used',
    paragraphs: [
      'It does not come from "draupnir authenticate", or from a version of it whose links can be guessed.',
      'Install the draupnir of this server\'s version, and run "draupnir authenticate".',
    ],
  },
  unknown_state: {
    status: 400,
    title: 'This link has been used or is too old',
    paragraphs: [AGAIN],
  },
  malformed: {
    status: 400,
    title: 'Google sent an incomplete answer',
    paragraphs: [AGAIN],
  },
  denied: {
    status: 403,
    title: 'You did not consent',
    paragraphs: ['Draupnir learns your e-mail address from Google, and nothing else. ' + AGAIN],
  },
  untrusted: {
    status: 403,
    title: 'This account may not use Draupnir',
    paragraphs: ['Use the Google account that you have for work.', AGAIN],
  },
  no_refresh_token: {
    status: 422,
    title: 'Google gave no lasting access',
    paragraphs: [
      'Google does so when it believes that you have given Draupnir access already.',
      'Remove Draupnir at https://myaccount.google.com/connections, then run "draupnir authenticate" again.',
    ],
  },
  refused: {
    status: 400,
    title: 'Google refused the sign-in',
    paragraphs: ['It took too long, or was used already. ' + AGAIN],
  },
  timeout: {
    status: 504,
    title: 'Google did not answer in time',
    paragraphs: ['In a minute, run "draupnir authenticate" again.'],
  },
  unavailable: {
    status: 502,
    title: 'Google could not sign you in',
    paragraphs: [
      'In a minute, run "draupnir authenticate" again.',
      "If that does not help, the server's log has the reason.",
    ],
  },
  busy: {
    status: 503,
    title: 'Too many people sign in at the moment',
    paragraphs: ['In a minute, run "draupnir authenticate" again.'],
  },
  disabled: {
    status: 503,
    title: 'Nobody can sign in here',
    paragraphs: ['This server is not set up to ask Google.'],
  },
};

const DONE: Page = {
  title: 'You are signed in',
  paragraphs: ['You can close this page and go back to your terminal.'],
  closes: true,
};

export function sendSignedInPage(reply: FastifyReply): FastifyReply {
  return sendPage(reply, DONE);
}

/** Tells what went wrong at the browser; rethrows what is not a LoginFailure. */
export function sendLoginFailure(reply: FastifyReply, error: unknown): FastifyReply {
  if (!(error instanceof LoginFailure)) throw error;
  const { status, ...page } = FAILURES[error.kind];
  getNotes(reply.request).reason = error.kind;
  noteSignIn(reply.request, error.email);
  return sendPage(reply.code(status), page);
}
