import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em;color:#222;background:#fff}' +
  '@media (prefers-color-scheme:dark){body{color:#ddd;background:#1b1b1b}}';
const CLOSE = 'window.close()';

/** Nothing may be loaded, and nothing run but the very texts above (CSP Level 3, hash sources). */
const POLICY = [
  "default-src 'none'",
  `style-src '${hash(STYLE)}'`,
  `script-src '${hash(CLOSE)}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export interface Page {
  title: string;
  /** Paragraphs of plain text. */
  paragraphs: readonly string[];
  /** Closes itself at once, where the browser lets it. */
  closes?: boolean;
}

/** Headers of every answer a browser gets: nothing is kept, and no address, with its code, is told to the next site. */
export function decorateForBrowser(reply: FastifyReply): FastifyReply {
  return reply
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', POLICY)
    .header('content-type', 'text/html; charset=utf-8');
}

/** Sends a page with the reply's status. */
export function sendPage(reply: FastifyReply, page: Page): FastifyReply {
  const paragraphs = page.paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`).join('\n');
  const script = page.closes === true ? `<script>${CLOSE}</script>\n` : '';
  return decorateForBrowser(reply).send(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(page.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escapeHtml(page.title)}</h1>
${paragraphs}
${script}</body>
</html>
`);
}

/** Plain text as HTML text or as a quoted attribute's value. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
