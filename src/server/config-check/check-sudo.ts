import { describeMissingRule } from '../../doctor/check-installation.ts';
import type { Outcome } from './outcome.ts';

/** Scripts that are named; where no rule is installed, it is all of them. */
const SHOWN = 3;

/** Whether the server's user may run the scripts; `scriptsWithoutRule` as doctor finds them. */
export function* checkSudo(
  facts: Parameters<typeof describeMissingRule>[0],
  scriptsPath: string,
): Generator<Outcome> {
  const path = 'scripts_path';
  const { scriptsWithoutRule: missing, serverUser } = facts;
  if (missing.length === 0) {
    yield { level: 'ok', path, message: `sudo lets ${serverUser} run the scripts` };
    return;
  }
  const { message, hint } = describeMissingRule(facts, scriptsPath);
  const more = missing.length > SHOWN ? ` and ${missing.length - SHOWN} more` : '';
  const names = missing.slice(0, SHOWN).join(', ') + more;
  yield { level: 'problem', path, message: `${names}: ${message}; ${hint}` };
}
