import { createHash } from 'node:crypto';
import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { escapeHtml, sendPage } from '../../../src/http/page.ts';

async function render(title: string, text: string) {
  const app = fastify();
  app.get('/', (_request, reply) => sendPage(reply.code(400), { title, paragraphs: [text], closes: true }));
  return app.inject('/');
}

describe('a page', () => {
  it('shows any text as text', async () => {
    const nasty = `<script>alert("1")</script> & 'x' <img src=x onerror=y>`;
    const { body, statusCode } = await render(nasty, nasty);
    expect(statusCode).toBe(400);
    expect(body).not.toMatch(/<script>alert|<img/);
    expect(body).toContain('&#60;script&#62;alert(&#34;1&#34;)');
    expect(escapeHtml(`<>&"'`)).toBe('&#60;&#62;&#38;&#34;&#39;');
  });

  it('allows by its policy exactly the style and the script it has', async () => {
    const { body, headers } = await render('t', 'p');
    const policy = headers['content-security-policy'];
    for (const tag of ['style', 'script']) {
      const text = new RegExp(`<${tag}>(.*?)</${tag}>`).exec(body)?.[1] ?? '';
      const digest = createHash('sha256').update(text).digest('base64');
      expect(policy).toContain(`${tag}-src 'sha256-${digest}'`);
    }
    expect(policy).not.toContain('unsafe');
  });
});
