import { Random } from './random.ts';
import { sampleCustomerAddress, sampleNeighbour, type SamplePerson } from './sample-people.ts';

/** Number of products, at every scale; a prime, which makes the lines of an order differ (`sampleLines`). */
export const PRODUCT_COUNT = 1_999;

/** A product; prices are whole cents. */
export interface SampleProduct {
  id: number;
  sku: string;
  title: string;
  priceCents: number;
}

/** One line of an order. An order has a product once at most. */
export interface SampleLine {
  productId: number;
  quantity: number;
  priceCents: number;
}

/** An order; `totalCents` is the sum of its lines. */
export interface SampleOrder {
  id: number;
  customerId: number;
  placedAt: Date;
  status: string;
  totalCents: number;
  delivery: SamplePerson;
}

const PRODUCT_STREAM = 2;
const ORDER_STREAM = 3;
const LINE_STREAM = 4;

const FIRST_ORDER = Date.UTC(2023, 0, 2);
const ORDERS_SPAN_MS = 1_060 * 86_400_000;

const MATERIALS = [
  'Oak',
  'Linen',
  'Brass',
  'Copper',
  'Wool',
  'Glass',
  'Bamboo',
  'Slate',
  'Enamel',
  'Cork',
] as const;
const THINGS = [
  'teapot',
  'lamp',
  'chair',
  'blanket',
  'kettle',
  'clock',
  'shelf',
  'vase',
  'tray',
  'mirror',
  'rug',
] as const;
const COLOURS = ['natural', 'black', 'sage', 'ochre', 'ivory', 'navy', 'rust'] as const;

/** The product with this id, in [1, PRODUCT_COUNT]. */
export function sampleProduct(id: number): SampleProduct {
  const random = new Random(PRODUCT_STREAM, id);
  const title = `${random.pick(MATERIALS)} ${random.pick(THINGS)}, ${random.pick(COLOURS)}`;
  return { id, sku: `${random.fill('@@-###')}-${id}`, title, priceCents: 150 + random.below(4_000) };
}

/** The lines of one order: between one and sixteen. */
export function sampleLines(orderId: number): SampleLine[] {
  const random = new Random(LINE_STREAM, orderId);
  const start = random.below(PRODUCT_COUNT);
  // Steps of a fixed length on a circle of a prime number of products meet none twice.
  const step = 1 + random.below(PRODUCT_COUNT - 1);
  return Array.from({ length: 1 + random.below(16) }, (_, index) => {
    const productId = 1 + ((start + index * step) % PRODUCT_COUNT);
    return { productId, quantity: 1 + random.below(3), priceCents: productPriceCents(productId) };
  });
}

/** The order with this id, out of `orders`, placed by one of the customers 1 to `customers`. */
export function sampleOrder(id: number, orders: number, customers: number): SampleOrder {
  const random = new Random(ORDER_STREAM, id);
  const customerId = 1 + random.below(customers);
  const customer = sampleCustomerAddress(customerId);
  const age = id / orders;
  return {
    id,
    customerId,
    placedAt: new Date(FIRST_ORDER + Math.floor(age * ORDERS_SPAN_MS) + random.below(3_600_000)),
    status: pickStatus(random, age),
    totalCents: sampleLines(id).reduce((sum, line) => sum + line.quantity * line.priceCents, 0),
    delivery: random.chance(12) ? sampleNeighbour(customer, random) : customer,
  };
}

/** Only the newest hundredth is still on its way. */
function pickStatus(random: Random, age: number): string {
  if (age > 0.99) return random.pick(['placed', 'paid', 'shipped']);
  if (random.chance(4)) return 'cancelled';
  return random.chance(5) ? 'returned' : 'delivered';
}

let prices: number[] | undefined;

/** Prices are asked for once a line, a million times: they are kept. */
function productPriceCents(id: number): number {
  prices ??= Array.from({ length: PRODUCT_COUNT + 1 }, (_, productId) => sampleProduct(productId).priceCents);
  const price = prices[id];
  if (price === undefined) throw new RangeError(`no product ${id}`);
  return price;
}
