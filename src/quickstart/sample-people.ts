import { Random } from './random.ts';
import { MAIL_DOMAINS, SAMPLE_COUNTRIES, type SampleCountry } from './sample-names.ts';

/** A person with an address; the sample's deliveries go to such. */
export interface SamplePerson {
  name: string;
  street: string;
  postcode: string;
  city: string;
  country: string;
}

/** A customer of the sample shop. Everything but `id`, `city`, `country` and `createdAt` is personal. */
export interface SampleCustomer extends SamplePerson {
  id: number;
  email: string;
  phone: string | null;
  /** ISO date. */
  born: string;
  iban: string | null;
  note: string | null;
  createdAt: Date;
}

const STREAM = 1;
const HOME_COUNTRY = SAMPLE_COUNTRIES.slice(0, 1);
const OPENED = Date.UTC(2019, 2, 1);
const DAY_MS = 86_400_000;

/** Name and address of the customer with this id, as `sampleCustomer` says them; orders need no more. */
export function sampleCustomerAddress(id: number): SamplePerson {
  const random = new Random(STREAM, id);
  const { name, street, postcode, city, country } = drawPerson(random, drawCountry(random));
  return { name, street, postcode, city, country };
}

/** The customer with this id, always the same one. */
export function sampleCustomer(id: number): SampleCustomer {
  const random = new Random(STREAM, id);
  const country = drawCountry(random);
  const { first, last, ...person } = drawPerson(random, country);
  const email = `${formatMailbox(random, first, last, id)}@${random.pick(MAIL_DOMAINS)}`;
  const phone = random.chance(90) ? random.fill(country.phone) : null;
  return {
    id,
    ...person,
    email,
    phone,
    born: `${1938 + random.below(69)}-${twoDigits(1 + random.below(12))}-${twoDigits(1 + random.below(28))}`,
    iban: country.ibanDigits === undefined ? null : drawIban(random, country.code, country.ibanDigits),
    note: drawNote(random, person, email, phone),
    createdAt: new Date(OPENED + random.below(1_200 * DAY_MS)),
  };
}

/** Someone of the same country who is no customer, such as who receives a present. */
export function sampleNeighbour(person: SamplePerson, random: Random): SamplePerson {
  const country =
    SAMPLE_COUNTRIES.find(({ code }) => code === person.country) ?? random.pick(SAMPLE_COUNTRIES);
  const { name, street, postcode, city } = drawPerson(random, country);
  return { name, street, postcode, city, country: country.code };
}

/** Half of the people live in the home market. */
function drawCountry(random: Random): SampleCountry {
  return random.pick(random.chance(50) ? HOME_COUNTRY : SAMPLE_COUNTRIES);
}

function drawPerson(random: Random, country: SampleCountry): SamplePerson & { first: string; last: string } {
  const first = random.pick(country.first);
  const last = random.pick(country.last);
  const middle = random.chance(70) ? ` ${random.pick(country.first).written}` : '';
  const street = random.pick(country.streets);
  const number = 1 + random.below(240);
  return {
    name: country.familyNameFirst
      ? `${last.written} ${first.written}`
      : `${first.written}${middle} ${last.written}`,
    first: first.inMail,
    last: last.inMail,
    street: country.numberBeforeStreet ? `${number} ${street}` : `${street} ${number}`,
    postcode: random.fill(country.postcode),
    city: random.pick(country.cities),
    country: country.code,
  };
}

/** Every form ends in the id, after a character that is no digit: no two customers share an address. */
function formatMailbox(random: Random, first: string, last: string, id: number): string {
  switch (random.below(4)) {
    case 0:
      return `${first}.${last}${id}`;
    case 1:
      return `${first}.${last}+shop${id}`;
    case 2:
      return `${last}_${first}.${id}`;
    default:
      return `${first.slice(0, 1)}${last}${id}`;
  }
}

/** Check digits are right (ISO 13616), the bank is not: no bank has a code of noughts. */
function drawIban(random: Random, country: string, digits: number): string {
  const account = random.fill(`00000000${'#'.repeat(digits - 8)}`);
  // The country counts as two numbers behind the account, A being 10; the check digits as 00.
  const rearranged = `${account}${Array.from(country, (letter) => letter.charCodeAt(0) - 55).join('')}00`;
  let remainder = 0;
  for (const digit of rearranged) remainder = (remainder * 10 + Number(digit)) % 97;
  return `${country}${twoDigits(98 - remainder)}${account}`;
}

function drawNote(random: Random, person: SamplePerson, email: string, phone: string | null): string | null {
  switch (random.below(5)) {
    case 0:
      return `${person.name} prefers to be called in the evening${phone === null ? '' : ` on ${phone}`}; never leave parcels with the neighbours.`;
    case 1:
      return `Invoices go to\n${person.name}\n${person.street}\n${person.postcode} ${person.city}\nand as PDF to ${email}`;
    case 2:
      return `Asked twice about a discount. "${person.name}" is spelt exactly like this on the passport. Share: \\\\orders\\${person.country}`;
    default:
      return null;
  }
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
