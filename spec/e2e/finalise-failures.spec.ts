import { describe, expect, inject, it } from 'vitest';
import { readImageState } from './support/host-state.ts';
import { queryMetadata } from './support/metadata.ts';
import { PLANTED_EMAIL } from './support/source.ts';
import { upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();

/** Asks for the preparation of an image, which must fail closed: resolves to the reason. */
async function expectFailure(id: number): Promise<string> {
  const before = await readImageState(id);
  expect(before.subvolumes).toEqual([`image_uploads/${id}`]);
  const answer = await server.api.finaliseImage(id);
  expect(answer, answer.text).toMatchObject({
    status: 422,
    json: {
      id: 'finalise_failed',
      code: 'finalise_failed',
      status: '422',
      title: 'Finalise Failed',
      source: {},
    },
  });
  expect(await server.api.getImage(id)).toMatchObject({ ready: false });
  // The upload stays; no snapshot, no clone, no folder, no process came to it.
  expect(await readImageState(id)).toEqual(before);
  const body = { data: { type: 'instances', attributes: { image_id: id } } };
  expect((await server.api.send('POST', '/instances', { body })).status).toBe(422);
  const { detail } = answer.json as { detail: string };
  expect(await queryMetadata(`SELECT failure FROM images WHERE id = ${id}`)).toBe(detail);
  return detail;
}

/** A reason reaches every caller: it quotes no row. */
function expectNoRowData(detail: string): void {
  expect(detail).not.toMatch(/victim|Ada|Real|customer-/);
  expect(detail).not.toContain(PLANTED_EMAIL);
}

/** Hides its output, changes databases, commits, catches its own error, and has no end of line. */
const ODD = `\\o /dev/null
\\set QUIET off
\\c shop
BEGIN;
UPDATE customers SET name = id;
COMMIT;
DO $$ BEGIN PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END $$;
\\c postgres
SELECT 1`;

describe.concurrent('an anonymisation script', () => {
  // A kind of failure each: of SQL, of psql, and of what it leaves behind. failing-scripts.spec.ts has the others.
  it.each([
    [
      'quotes a row in an error of its own',
      `\\c shop\nDO $$ BEGIN RAISE EXCEPTION '%', (SELECT email FROM customers WHERE id = 1); END $$;\n`,
      'the anonymisation script failed in the statement that ends on line 2 (SQLSTATE P0001, raise_exception)',
    ],
    [
      'ends early',
      'SELECT 1;\n\\q\nSELECT nothing;\n',
      'the anonymisation script did not run to its end: look for \\q, COPY data without \\. or \\if without \\endif',
    ],
    [
      'starts a program that leaves it for good',
      `COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; setsid sleep 300 </dev/null >/dev/null 2>&1 &';\n`,
      'the anonymisation script leaves a program running: let it wait for what it starts',
    ],
  ])('that %s makes no image', async (_what, script, detail) => {
    const { id } = await server.api.createImage(script);
    await upload(id, inject('e2e').backup);
    const reason = await expectFailure(id);
    expectNoRowData(reason);
    expect(reason).toBe(detail);
  });

  it.each([
    ['is empty', ''],
    ['does odd things that are allowed', ODD],
  ])('that %s is good', async (_what, script) => {
    const { id } = await server.api.createImage(script);
    await upload(id, inject('e2e').backup);
    expect(await server.api.finaliseImage(id)).toMatchObject({ status: 200 });
  });
});
