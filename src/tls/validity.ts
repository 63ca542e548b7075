import { X509Certificate } from 'node:crypto';
import type { Validity } from '../core/certificate-validity.ts';

/** Clocks of clients may be late by this much. */
const BACKDATED_MS = 3_600_000;

/** Validity of a certificate made now: from an hour back, or from `earliest` if that is before, for the lifetime from now. */
export function chooseValidity(options: { now: Date; lifetimeMs: number; earliest?: Date }): Validity {
  const now = options.now.getTime();
  const notBefore = Math.min(now - BACKDATED_MS, options.earliest?.getTime() ?? now);
  return { notBefore: new Date(notBefore), notAfter: new Date(now + options.lifetimeMs) };
}

/** Validity of a PEM certificate. Throws when it is none. */
export function readValidity(certificate: string): Validity {
  const { validFromDate, validToDate } = new X509Certificate(certificate);
  return { notBefore: validFromDate, notAfter: validToDate };
}
