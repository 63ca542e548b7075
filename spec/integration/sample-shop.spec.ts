import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readAsset } from '../../src/assets.ts';
import { sampleCounts, sampleTables } from '../../src/quickstart/sample-data.ts';
import { sampleCustomer } from '../../src/quickstart/sample-people.ts';

const SCALE = 0.01;

/** The script connects to a database of this name, as any user's would. */
const DATABASE = 'shop';

/** Everything that has a number in it that reports are made of. */
const NUMBERS = `
  SELECT json_build_object(
    'orders', (SELECT json_agg((id, customer_id, status, total, placed_at) ORDER BY id) FROM shop.orders),
    'lines', (SELECT json_build_array(count(*), sum(quantity * unit_price)) FROM shop.order_lines),
    'places', (SELECT json_agg((id, city, country, created_at) ORDER BY id) FROM shop.customers),
    'deliveries', (SELECT json_agg((delivery_address -> 'city', delivery_address -> 'country') ORDER BY id) FROM shop.orders),
    'revenue', (SELECT json_agg((customer_id, orders, revenue) ORDER BY customer_id) FROM shop.customer_revenue)
  )`;

async function psql(database: string, input: string, ...args: string[]): Promise<string> {
  const { host, port, user } = inject('cluster');
  const where = [`--host=${host}`, `--port=${port}`, `--username=${user}`, `--dbname=${database}`];
  const strict = ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--set=ON_ERROR_STOP=1'];
  return (await execa('psql', [...where, ...strict, ...args], { input, timeout: 60_000 })).stdout;
}

/** All rows of all tables and materialised views. */
async function dump(): Promise<string> {
  const relations = await psql(
    DATABASE,
    "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'm')",
  );
  const copies = relations.split('\n').map((relation) => `COPY (SELECT * FROM ${relation}) TO STDOUT;`);
  return psql(DATABASE, copies.join('\n'));
}

/** The originals that are still there. */
function findIn(text: string, originals: readonly (string | null)[]): string[] {
  return originals.filter((original) => original !== null && text.includes(original)) as string[];
}

beforeAll(async () => {
  await psql('postgres', `CREATE DATABASE ${DATABASE}`);
  await psql(DATABASE, readAsset('sample/shop.sql').toString());
  for (const { table, columns, rows } of sampleTables(SCALE)) {
    await psql(DATABASE, [...rows].join(''), `--command=COPY ${table} (${columns.join(', ')}) FROM STDIN`);
  }
  await psql(DATABASE, readAsset('sample/shop-after-load.sql').toString());
});

afterAll(async () => {
  await psql('postgres', `DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
});

describe('the sample shop', () => {
  it('keeps the total of an order when a line is added, changed and removed', async () => {
    const sql = `
      BEGIN;
      SELECT total FROM orders WHERE id = 1;
      INSERT INTO order_lines SELECT 1, max(id), 2, 10.25 FROM products;
      SELECT total - 20.50 FROM orders WHERE id = 1;
      UPDATE order_lines SET quantity = 3 WHERE order_id = 1 AND unit_price = 10.25;
      SELECT total - 30.75 FROM orders WHERE id = 1;
      DELETE FROM order_lines WHERE order_id = 1 AND unit_price = 10.25;
      SELECT total FROM orders WHERE id = 1;
      ROLLBACK;`;
    const totals = (await psql(DATABASE, sql)).split('\n');
    expect(totals).toHaveLength(4);
    expect(new Set(totals).size).toBe(1);
  });

  it('goes on with ids where the sample ends', async () => {
    const { customers } = sampleCounts(SCALE);
    expect(await psql(DATABASE, "SELECT nextval(pg_get_serial_sequence('customers', 'id'))")).toBe(
      String(customers + 1),
    );
  });

  it('holds no name, e-mail address, phone, street or account number after its anonymisation, and the same numbers', async () => {
    const people = Array.from({ length: sampleCounts(SCALE).customers }, (_, index) =>
      sampleCustomer(index + 1),
    );
    const originals = people.flatMap(({ name, email, phone, street, iban }) => [
      name,
      email,
      phone,
      street,
      iban,
    ]);
    const recipients = (await psql(DATABASE, 'SELECT delivery_name FROM orders')).split('\n');
    const numbers = await psql(DATABASE, NUMBERS);
    expect(findIn(await dump(), originals)).toEqual(originals.filter((original) => original !== null));

    await psql('postgres', readAsset('sample/anonymise.sql').toString());

    const after = await dump();
    expect(findIn(after, originals)).toEqual([]);
    expect(findIn(after, recipients)).toEqual([]);
    expect(after).not.toContain('.example');
    expect(await psql(DATABASE, NUMBERS)).toBe(numbers);
  });
});
