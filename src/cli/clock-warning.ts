import { describeClock } from './clock.ts';
import { printWarning } from './output.ts';

/**
 * Warns of a clock that libpq will reject the certificates of an instance by; it would not mention clocks.
 */
export function warnOfClock(aheadMs: number | undefined): void {
  const clock = describeClock(aheadMs);
  if (clock === undefined) return;
  const error = (aheadMs ?? 0) > 0 ? 'certificate has expired' : 'certificate is not yet valid';
  printWarning(`the clock of this machine is ${clock}`, `set it: psql may fail with "${error}"`);
}
