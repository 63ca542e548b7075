import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/quickstart/random.ts';
import {
  sampleCustomer,
  sampleCustomerAddress,
  sampleNeighbour,
} from '../../../src/quickstart/sample-people.ts';

const customers = Array.from({ length: 3_000 }, (_, index) => sampleCustomer(index + 1));

/** ISO 13616: country and check digits go to the end, letters count from A = 10, the remainder by 97 is 1. */
function remainderOfIban(iban: string): bigint {
  const digits = `${iban.slice(4)}${iban.slice(0, 4)}`.replace(/[A-Z]/g, (letter) =>
    String(parseInt(letter, 36)),
  );
  return BigInt(digits) % 97n;
}

describe('sample customers', () => {
  it('are the same whenever they are asked for', () => {
    expect(sampleCustomer(1_234)).toEqual(customers[1_233]);
  });

  it('have an e-mail address each, at domains that reach no one', () => {
    expect(new Set(customers.map(({ email }) => email.toLowerCase())).size).toBe(customers.length);
    expect(customers.filter(({ email }) => !/^[a-z0-9.+_'-]+@[a-z.]+\.example$/.test(email))).toEqual([]);
  });

  it.each([
    ['an apostrophe', /'/u],
    ['Greek', /\p{Script=Greek}/u],
    ['Cyrillic', /\p{Script=Cyrillic}/u],
    ['Han', /\p{Script=Han}/u],
    ['Arabic', /\p{Script=Arabic}/u],
    ['accents', /[éłöß]/u],
  ])('have names with %s', (_, pattern) => {
    expect(customers.some(({ name }) => pattern.test(name))).toBe(true);
  });

  it('have plus signs and apostrophes in some e-mail addresses', () => {
    expect(customers.some(({ email }) => email.includes('+'))).toBe(true);
    expect(customers.some(({ email }) => email.includes("'"))).toBe(true);
  });

  it('have account numbers with right check digits at banks that do not exist', () => {
    const ibans = customers.flatMap(({ iban }) => iban ?? []);
    expect(ibans.length).toBeGreaterThan(500);
    expect(ibans.filter((iban) => remainderOfIban(iban) !== 1n)).toEqual([]);
    expect(ibans.filter((iban) => !iban.startsWith('00000000', 4))).toEqual([]);
  });

  it('are written about in notes that hold the name, and often line breaks', () => {
    const noted = customers.filter(({ note }) => note !== null);
    expect(noted.length).toBeGreaterThan(1_000);
    expect(noted.filter(({ name, note }) => note?.includes(name) !== true)).toEqual([]);
    expect(noted.some(({ note }) => note?.includes('\n'))).toBe(true);
    expect(noted.some(({ note }) => note?.includes('\\'))).toBe(true);
  });

  it('have dates of birth that exist', () => {
    const wrong = customers.filter(({ born }) => new Date(born).toISOString().slice(0, 10) !== born);
    expect(wrong).toEqual([]);
  });

  it('have the address for deliveries that their record says', () => {
    for (const customer of customers.slice(0, 100)) {
      expect(customer).toMatchObject(sampleCustomerAddress(customer.id));
    }
  });

  it('have neighbours of the same country', () => {
    for (const customer of customers.slice(0, 100)) {
      expect(sampleNeighbour(customer, new Random(9, customer.id)).country).toBe(customer.country);
    }
  });
});
