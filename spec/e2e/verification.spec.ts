import { describe, expect, inject, it } from 'vitest';
import { readImageState } from './support/host-state.ts';
import { query } from './support/instance-client.ts';
import { ANONYMISE, PLANTED_EMAIL } from './support/source.ts';
import { upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();

/** Makes an image of the shared backup with that verification; resolves to the answer of its finalisation. */
async function finalise(verification: string, anonymisation = ANONYMISE) {
  const { id } = await server.api.createImage(anonymisation, verification);
  await upload(id, inject('e2e').backup);
  return { id, answer: await server.api.finaliseImage(id) };
}

describe.concurrent('a verification script', () => {
  it('whose queries all return nothing lets the image become ready', async () => {
    const { id, answer } = await finalise(`-- Asked in database postgres.
SELECT FROM pg_database WHERE datname = 'nowhere';
\\c shop
SELECT email FROM customers WHERE email !~ '@anonymous.invalid$'; SELECT ':x', E'\\'' WHERE false;
WITH old AS (SELECT name FROM customers WHERE name LIKE 'Real%') TABLE old;
-- What materialised views show is as new as the tables.
SELECT FROM app.totals WHERE orders <> 1`);
    expect(answer.status, answer.text).toBe(200);
    const instance = await server.api.createInstance(id);
    expect(await query(instance, 'SELECT count(*)::int FROM customers')).toEqual([60]);
  });

  // failing-scripts.spec.ts has the other ways to fail.
  it.each([
    [
      'returns rows',
      `\\c shop\nSELECT 1 WHERE false;\n\nSELECT name, email FROM customers;`,
      'query 2 of the verification script, on line 4, returned rows and must return none',
    ],
    [
      'is asked in a database there is not',
      `\\c nowhere\nSELECT 1`,
      'query 1 of the verification script, on line 2, failed in database nowhere',
    ],
  ])('with a query that %s makes no image, and says which', async (_what, script, reason) => {
    const { id, answer } = await finalise(script, 'SELECT 1;');
    expect(answer).toMatchObject({
      status: 422,
      json: { id: 'finalise_failed', detail: expect.stringContaining(reason) as string },
    });
    expect(answer.text).not.toMatch(/Ada|Real|victim|person/);
    expect(answer.text).not.toContain(PLANTED_EMAIL);
    expect((await readImageState(id)).subvolumes).toEqual([`image_uploads/${id}`]);
    expect(await server.api.getImage(id)).toMatchObject({ ready: false });
  });
});

describe('POST /images', () => {
  it.each([
    ['\\q\nSELECT 1;', 'verification_script: line 1 has a backslash'],
    ['SELECT 1;\n\\! true', 'verification_script: line 2 has a backslash'],
    ['BEGIN; SELECT 1;', 'verification_script: line 1 is no query'],
  ])('refuses the verification script %j', async (script, reason) => {
    const before = await server.api.listImageIds();
    const attributes = {
      backed_up_at: '2026-05-01T12:00:00Z',
      anonymisation_script: '',
      verification_script: script,
    };
    const body = { data: { type: 'images', attributes } };
    const answer = await server.api.send('POST', '/images', { as: 'upload', body });
    expect(answer).toMatchObject({
      status: 400,
      json: { title: 'Invalid Script', detail: expect.stringContaining(reason) as string },
    });
    expect(await server.api.listImageIds()).toEqual(before);
  });
});
