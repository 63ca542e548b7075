import { chunkCopyRows, type CopyValue } from './copy-text.ts';
import { sampleMessage } from './sample-messages.ts';
import { PRODUCT_COUNT, sampleLines, sampleOrder, sampleProduct } from './sample-orders.ts';
import { sampleCustomer } from './sample-people.ts';

/** One table of the sample shop, ready for `COPY <table> (<columns>) FROM STDIN`. */
export interface SampleTable {
  /** Without its schema, `shop`, which the database has in its search path. */
  table: string;
  columns: string[];
  /** Chunks of whole lines in COPY text format, UTF-8. Made while they are read; can be read once. */
  rows: Iterable<string>;
}

/** How many rows each table has at a scale; a scale of 1 is well over 220 MB with the indexes of `shop-after-load.sql`. */
export function sampleCounts(scale = 1): {
  customers: number;
  products: number;
  orders: number;
  messages: number;
} {
  const at = (count: number): number => Math.max(1, Math.round(count * scale));
  return { customers: at(80_000), products: PRODUCT_COUNT, orders: at(155_000), messages: at(60_000) };
}

/**
 * The sample shop of `draupnir quickstart`: believable personal data that belongs to no one, the same at every call.
 * Numbers add up: the total of an order is the sum of its lines. The schema is `sample/shop.sql`, which comes before,
 * and `sample/shop-after-load.sql`, which comes after; in between the tables can be loaded in any order, or at once.
 */
export function sampleTables(scale = 1): SampleTable[] {
  const { customers, products, orders, messages } = sampleCounts(scale);
  return [
    table('customers', CUSTOMER_COLUMNS, customers, customerRow),
    table('products', ['id', 'sku', 'title', 'price'], products, productRow),
    table('orders', ORDER_COLUMNS, orders, (id) => orderRow(id, orders, customers)),
    { table: 'order_lines', columns: LINE_COLUMNS, rows: chunkCopyRows(lineRows(orders)) },
    table('support_messages', MESSAGE_COLUMNS, messages, (id) => messageRow(id, messages, customers)),
  ];
}

const CUSTOMER_COLUMNS = [
  'id',
  'name',
  'email',
  'phone',
  'street',
  'city',
  'postcode',
  'country',
  'born',
  'iban',
  'note',
  'created_at',
];
const ORDER_COLUMNS = [
  'id',
  'customer_id',
  'placed_at',
  'status',
  'total',
  'delivery_name',
  'delivery_address',
];
const LINE_COLUMNS = ['order_id', 'product_id', 'quantity', 'unit_price'];
const MESSAGE_COLUMNS = ['id', 'customer_id', 'sent_at', 'subject', 'body'];

function table(
  name: string,
  columns: string[],
  count: number,
  row: (id: number) => CopyValue[],
): SampleTable {
  return { table: name, columns, rows: chunkCopyRows(rowsUpTo(count, row)) };
}

function* rowsUpTo(count: number, row: (id: number) => CopyValue[]): Generator<CopyValue[]> {
  for (let id = 1; id <= count; id += 1) yield row(id);
}

function customerRow(id: number): CopyValue[] {
  const customer = sampleCustomer(id);
  return [
    id,
    customer.name,
    customer.email,
    customer.phone,
    customer.street,
    customer.city,
    customer.postcode,
    customer.country,
    customer.born,
    customer.iban,
    customer.note,
    customer.createdAt.toISOString(),
  ];
}

function productRow(id: number): CopyValue[] {
  const { sku, title, priceCents } = sampleProduct(id);
  return [id, sku, title, formatCents(priceCents)];
}

function orderRow(id: number, orders: number, customers: number): CopyValue[] {
  const order = sampleOrder(id, orders, customers);
  const { name, street, postcode, city, country } = order.delivery;
  return [
    id,
    order.customerId,
    order.placedAt.toISOString(),
    order.status,
    formatCents(order.totalCents),
    name,
    JSON.stringify({ name, street, postcode, city, country }),
  ];
}

function* lineRows(orders: number): Generator<CopyValue[]> {
  for (let id = 1; id <= orders; id += 1) {
    for (const line of sampleLines(id)) {
      yield [id, line.productId, line.quantity, formatCents(line.priceCents)];
    }
  }
}

function messageRow(id: number, messages: number, customers: number): CopyValue[] {
  const message = sampleMessage(id, messages, customers);
  return [id, message.customerId, message.sentAt.toISOString(), message.subject, message.body];
}

function formatCents(cents: number): string {
  return (cents / 100).toFixed(2);
}
