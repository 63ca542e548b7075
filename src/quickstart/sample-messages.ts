import { Random } from './random.ts';
import { sampleCustomer } from './sample-people.ts';

/** A message to the shop's support: free text, in which customers write whatever they like about themselves. */
export interface SampleMessage {
  id: number;
  customerId: number;
  sentAt: Date;
  subject: string;
  body: string;
}

const STREAM = 5;
const FIRST_MESSAGE = Date.UTC(2023, 0, 3);
const MESSAGES_SPAN_MS = 1_060 * 86_400_000;

const COMPLAINTS = [
  'the parcel was left in the rain and the box fell apart before anyone could bring it inside',
  'only half of what I ordered has arrived, and the tracking page has said "on its way" for nine days',
  'the colour is nothing like the picture, my kitchen is sage and this is plainly green',
  'one leg is shorter than the others, so that everything put on it slides off to the left',
  'I was charged twice, once on Monday and once again on Thursday, for the very same basket',
  'the courier rang at the wrong house, although the number is painted on the gate a foot high',
] as const;
const WISHES = [
  'Please send the missing part, or tell me where to post the rest of it',
  'Please refund the second payment to the account you know',
  'Could someone who has seen the thing itself get back to me before the weekend',
  'I would rather keep it for half the price than carry it to the post office again',
] as const;
const PLEASANTRIES = [
  'I have been a customer since you opened and always recommended you to friends.',
  'Nothing of this is the fault of the lady on the telephone, who was very kind.',
  'The lamp I bought last spring, by the way, is still the nicest thing in the house.',
  'I know that December is a busy month, but three weeks are three weeks.',
] as const;

/** The message with this id, out of `messages`, sent by one of the customers 1 to `customers`. */
export function sampleMessage(id: number, messages: number, customers: number): SampleMessage {
  const random = new Random(STREAM, id);
  const customer = sampleCustomer(1 + random.below(customers));
  const sentAt = new Date(FIRST_MESSAGE + Math.floor((id / messages) * MESSAGES_SPAN_MS));
  const reach = customer.phone === null ? customer.email : `${customer.phone} or ${customer.email}`;
  const complaint = random.pick(COMPLAINTS);
  const lines = [
    `Dear shop, ${complaint}. ${random.pick(PLEASANTRIES)} ${random.pick(WISHES)}.`,
    `You can reach me on ${reach}.`,
    random.pick(PLEASANTRIES),
    `${customer.name}, ${customer.street}, ${customer.city}`,
  ];
  if (random.chance(40)) {
    lines.push(
      `> From: ${customer.name} <${customer.email}>`,
      `> To: help@shop.example`,
      `> It is about this: ${random.pick(COMPLAINTS)}.`,
    );
  }
  const subject = random.chance(30) ? `Order of ${customer.name}` : `${complaint.slice(0, 40).trimEnd()}…`;
  return { id, customerId: customer.id, sentAt, subject, body: lines.join('\n') };
}
