import { describe, expect, it } from 'vitest';
import { readAsset } from '../../../src/assets.ts';
import { sampleCounts, sampleTables } from '../../../src/quickstart/sample-data.ts';
import { sampleMessage } from '../../../src/quickstart/sample-messages.ts';
import { sampleOrder } from '../../../src/quickstart/sample-orders.ts';
import { sampleCustomer } from '../../../src/quickstart/sample-people.ts';

const SCALE = 0.002;

interface Table {
  columns: string[];
  rows: Record<string, string>[];
}

/** The tables as COPY reads them; no value of the columns looked at here needs unescaping. */
function readTables(): Record<string, Table> {
  const tables = sampleTables(SCALE).map(({ table, columns, rows }): [string, Table] => {
    const lines = [...rows].join('').split('\n').slice(0, -1);
    const records = lines.map((line) => {
      const values = line.split('\t');
      expect(values).toHaveLength(columns.length);
      return Object.fromEntries(columns.map((column, index) => [column, values[index] ?? '']));
    });
    return [table, { columns, rows: records }];
  });
  return Object.fromEntries(tables);
}

const tables = readTables();

function rowsOf(table: string): Record<string, string>[] {
  return tables[table]?.rows ?? [];
}

function cents(amount: string | undefined): number {
  expect(amount).toMatch(/^\d+\.\d\d$/);
  return Number(amount?.replace('.', ''));
}

describe('the sample tables', () => {
  it('are the same at every call', () => {
    expect(readTables()).toEqual(tables);
  });

  it('have as many rows as is told', () => {
    const { customers, products, orders, messages } = sampleCounts(SCALE);
    expect(rowsOf('customers')).toHaveLength(customers);
    expect(rowsOf('products')).toHaveLength(products);
    expect(rowsOf('orders')).toHaveLength(orders);
    expect(rowsOf('support_messages')).toHaveLength(messages);
  });

  it('have at least one row each, however small the scale', () => {
    expect(sampleTables(1e-9).map(({ rows }) => [...rows].join('').length > 0)).toEqual(Array(5).fill(true));
  });

  it('name columns that the schema has, in one table each', () => {
    const schema = readAsset('sample/shop.sql').toString();
    for (const [table, { columns }] of Object.entries(tables)) {
      const definition = new RegExp(`CREATE TABLE ${table} \\((.*?)\\n\\)`, 's').exec(schema)?.[1] ?? '';
      expect(Array.from(definition.matchAll(/^ {2}(\w+) /gm), ([, column]) => column)).toEqual(columns);
    }
  });

  it('add up: the total of an order is the sum of its lines', () => {
    const sums = new Map<string, number>();
    for (const line of rowsOf('order_lines')) {
      const orderId = line['order_id'] ?? '';
      sums.set(orderId, (sums.get(orderId) ?? 0) + Number(line['quantity']) * cents(line['unit_price']));
    }
    const totals = rowsOf('orders').map((order): [string, number] => [
      order['id'] ?? '',
      cents(order['total']),
    ]);
    expect(new Map(totals)).toEqual(sums);
  });

  it('have a product once in an order, at the price of the product', () => {
    const prices = new Map(rowsOf('products').map((product) => [product['id'], product['price']]));
    const lines = rowsOf('order_lines');
    expect(new Set(lines.map((line) => `${line['order_id'] ?? ''}/${line['product_id'] ?? ''}`)).size).toBe(
      lines.length,
    );
    expect(lines.filter((line) => prices.get(line['product_id']) !== line['unit_price'])).toEqual([]);
  });

  it('refer to customers that exist', () => {
    const ids = new Set(rowsOf('customers').map((customer) => customer['id']));
    const references = [...rowsOf('orders'), ...rowsOf('support_messages')];
    expect(references.filter((row) => !ids.has(row['customer_id']))).toEqual([]);
  });

  it('spread orders and messages over all customers, the first and the last too', () => {
    const ids = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(new Set(ids.map((id) => sampleOrder(id, 100, 3).customerId))).toEqual(new Set([1, 2, 3]));
    expect(new Set(ids.map((id) => sampleMessage(id, 100, 3).customerId))).toEqual(new Set([1, 2, 3]));
  });

  it('deliver to the customer mostly, and the address repeats the name', () => {
    let toOthers = 0;
    for (const order of rowsOf('orders')) {
      const address = JSON.parse(order['delivery_address'] ?? '') as Record<string, unknown>;
      expect(Object.keys(address)).toEqual(['name', 'street', 'postcode', 'city', 'country']);
      expect(address['name']).toBe(order['delivery_name']);
      if (order['delivery_name'] !== sampleCustomer(Number(order['customer_id'])).name) toOthers += 1;
    }
    expect(toOthers).toBeGreaterThan(5);
    expect(toOthers).toBeLessThan(rowsOf('orders').length / 4);
  });

  it('have support messages that tell the e-mail address, and the phone number of who has one', () => {
    for (const message of rowsOf('support_messages')) {
      const { email, phone } = sampleCustomer(Number(message['customer_id']));
      expect(message['body']).toContain(email);
      if (phone !== null) expect(message['body']).toContain(phone);
    }
  });
});
