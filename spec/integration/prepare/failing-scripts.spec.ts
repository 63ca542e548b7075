import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PreparationSteps } from './support/preparation-steps.ts';

// Which scripts fail, and the reasons. e2e/finalise-failures.spec.ts and e2e/verification.spec.ts show that the API passes them on.

const PLANTED_EMAIL = 'ada.victim@real.example';

const SHOP = `CREATE TABLE customers (id int PRIMARY KEY, name text, email text);
INSERT INTO customers SELECT i, 'Ada Real', '${PLANTED_EMAIL}' FROM generate_series(1, 100) AS i;
`;

let preparation: PreparationSteps;

beforeAll(async () => {
  preparation = await PreparationSteps.start(SHOP);
});

afterAll(() => preparation.stop());

/** A reason reaches every caller: it quotes no row. */
function expectNoRowData(reason: string): void {
  expect(reason).not.toMatch(/victim|Ada|Real|customer-|person/);
  expect(reason).not.toContain(PLANTED_EMAIL);
}

const LOST =
  'the anonymisation script did not run to its end: look for \\q, COPY data without \\. or \\if without \\endif';
const OPEN = 'the anonymisation script leaves a transaction open: end it with COMMIT';
const RUNNING = 'the anonymisation script leaves a program running: let it wait for what it starts';
const SESSION =
  'the anonymisation script leaves a session of another client open: let it wait for what it starts';
const PREPARED = 'the anonymisation script leaves a prepared transaction: end it with COMMIT PREPARED';
const SLOW_SESSION = `psql -Xqc 'SELECT pg_sleep(300)' >/dev/null 2>&1`;

function failsAt(line: number, state: string): string {
  return `the anonymisation script failed in the statement that ends on line ${line} (SQLSTATE ${state})`;
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

describe('an anonymisation script', () => {
  it.each([
    ['fails', `\\c shop\nSELECT 1;\nSELECT nothing;\nSELECT 2;\n`, failsAt(3, '42703, undefined_column')],
    [
      'fails over a row',
      `\\c shop\nINSERT INTO customers VALUES (1, 'Ada Real', '${PLANTED_EMAIL}');\n`,
      failsAt(2, '23505, unique_violation'),
    ],
    [
      'quotes a row in an error of its own',
      `\\c shop\nDO $$ BEGIN RAISE EXCEPTION '%', (SELECT email FROM customers WHERE id = 1); END $$;\n`,
      failsAt(2, 'P0001, raise_exception'),
    ],
    [
      'divides by zero inside DO',
      'DO $$\nBEGIN\n  PERFORM 1 / 0;\nEND\n$$;\n',
      failsAt(5, '22012, division_by_zero'),
    ],
    [
      'fails after switching ON_ERROR_STOP off',
      '\\set ON_ERROR_STOP off\nSELECT nothing;\nSELECT 1;\n',
      failsAt(2, '42703, undefined_column'),
    ],
    [
      'fails on its last line, which has no end',
      'SELECT 1;\nSELECT nothing',
      failsAt(2, '42703, undefined_column'),
    ],
    [
      'names a table of another database',
      'UPDATE customers SET name = id;\n',
      failsAt(1, '42P01, undefined_table'),
    ],
    ['connects to a database that does not exist', '\\c nowhere\n', undefined],
    ['lacks its COMMIT', '\\c shop\nBEGIN;\nUPDATE customers SET name = id;\n', OPEN],
    ['starts a program and does not wait for it', '\\! sleep 300 &\n', RUNNING],
    [
      'starts a program that leaves it for good',
      `COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; setsid sleep 300 </dev/null >/dev/null 2>&1 &';\n`,
      RUNNING,
    ],
    ['leaves work to a psql that it does not wait for', `\\! ${SLOW_SESSION} &\n`, RUNNING],
    [
      'leaves work to a session whose client it has ended',
      `\\! ${SLOW_SESSION} & until [ "$(psql -AtXc "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(300)'")" = 1 ]; do :; done; kill -9 $!; wait\n`,
      SESSION,
    ],
    ['leaves a prepared transaction', `BEGIN;\nPREPARE TRANSACTION 'left';\n`, PREPARED],
    ['ends early', 'SELECT 1;\n\\q\nSELECT nothing;\n', LOST],
    ['leaves a COPY open', '\\c shop\nCOPY customers FROM STDIN;\n1000\tx\ty\n', undefined],
    ['leaves a quote open', `\\c shop\nUPDATE customers SET name = 'x;\n`, undefined],
    ['leaves a comment open', '/* SELECT 1;\n', undefined],
    ['leaves an \\if open', '\\if false\nSELECT 1;\n', LOST],
    ['ends its own session', 'SELECT pg_terminate_backend(pg_backend_pid());\n', undefined],
    [
      'runs a program that would read its statements away',
      `\\c shop\n\\! head -c 4096 >/dev/null\n${'SELECT 1;\n'.repeat(200)}SELECT nothing;\n`,
      failsAt(203, '42703, undefined_column'),
    ],
    [
      'fails in a file of its own making, with ON_ERROR_STOP off',
      `\\set ON_ERROR_STOP off\n\\t\n\\o /tmp/draupnir-e2e-included.sql\nSELECT 'SELECT 1/0;';\n\\o\n\\i /tmp/draupnir-e2e-included.sql\n\\! rm /tmp/draupnir-e2e-included.sql\n`,
      'the anonymisation script failed in a statement that is not its own text',
    ],
    [
      'writes in front of its error, with ON_ERROR_STOP off',
      '\\set ON_ERROR_STOP off\n\\warn -n x\nSELECT 1/0;\n',
      undefined,
    ],
    [
      'lets psql quote rows',
      `\\c shop\n\\set VERBOSITY default\nDO $$ BEGIN RAISE EXCEPTION 'VICTM'; END $$;\n`,
      'the anonymisation script failed in the statement that ends on line 3',
    ],
    [
      'hides its errors by a program, with ON_ERROR_STOP off',
      '\\set ON_ERROR_STOP off\nSELECT nothing;\n\\! echo done >/dev/stderr\n',
      failsAt(2, '42703, undefined_column'),
    ],
    [
      'removes our files',
      '\\! rm -rf /tmp/draupnir-steps-*/scratch/*.log\nSELECT nothing;\n',
      failsAt(2, '42703, undefined_column'),
    ],
    ['hides its end', 'SELECT 1;\n\\o /dev/null\n\\! kill -9 $PPID\n', undefined],
  ])('that %s fails', async (_what, script, expected) => {
    const reason = await preparation.anonymise(script);
    if (reason === undefined) throw new Error('it did not fail');
    expectNoRowData(reason);
    expect(reason).toMatch(/^the anonymisation script /);
    if (expected !== undefined) expect(reason).toBe(expected);
  });

  it.each([
    ['is empty', ''],
    ['does odd things that are allowed', ODD],
    ['waits for what it has started', `\\! ${SLOW_SESSION.replace('300', '0.2')} & wait\n`],
  ])('that %s is good', async (_what, script) => {
    expect(await preparation.anonymise(script)).toBeUndefined();
  });
});

describe('a verification script', () => {
  const ask = (database: string, text: string) => preparation.verify([{ line: 7, database, text }]);

  it.each([
    ['returns rows', 'shop', 'SELECT name, email FROM customers', 'returned rows and must return none'],
    [
      'cannot be asked',
      'shop',
      'SELECT nothing FROM customers',
      'failed in database shop (SQLSTATE 42703, undefined_column)',
    ],
    [
      'quotes a row in an error',
      'shop',
      'SELECT email::int FROM customers',
      'failed in database shop (SQLSTATE 22P02, invalid_text_representation)',
    ],
    [
      'would change the data that others check',
      'shop',
      'WITH x AS (DELETE FROM customers RETURNING 1) SELECT 1 FROM x WHERE false',
      'failed in database shop (SQLSTATE 25006, read_only_sql_transaction)',
    ],
    [
      'would make its transaction one that writes',
      'postgres',
      `SELECT FROM set_config('transaction_read_only', 'off', true) AS setting WHERE setting = ''`,
      'failed in database postgres (SQLSTATE 25001, active_sql_transaction)',
    ],
    [
      'ends its session',
      'postgres',
      'SELECT 1 WHERE NOT pg_terminate_backend(pg_backend_pid())',
      'failed in database postgres (SQLSTATE 57P01, admin_shutdown)',
    ],
    [
      'is asked in a database there is not',
      'nowhere',
      'SELECT 1',
      'failed in database nowhere (SQLSTATE 3D000, invalid_catalog_name)',
    ],
  ])('with a query that %s fails, and says which', async (_what, database, text, expected) => {
    const reason = await ask(database, text);
    if (reason === undefined) throw new Error('it did not fail');
    expect(reason).toBe(`query 1 of the verification script, on line 7, ${expected}`);
    expectNoRowData(reason);
  });

  it('fails with the number of the first query that returns a row, and is good without one', async () => {
    const none = { line: 1, database: 'shop', text: 'SELECT 1 WHERE false' };
    const one = { line: 4, database: 'shop', text: 'TABLE customers' };
    expect(await preparation.verify([none, one, { ...one, line: 5 }])).toBe(
      'query 2 of the verification script, on line 4, returned rows and must return none',
    );
    expect(await preparation.verify([none, { ...none, database: 'postgres' }])).toBeUndefined();
    expect(await preparation.verify([])).toBeUndefined();
  });
});
