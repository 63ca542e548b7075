import { withDeadline } from './deadline.ts';
import { toFailure } from './script-error.ts';
import type { ScriptProcess } from './script-process.ts';

/** Waits for the script's next line. When it is another one, or none comes in time, tells the script to stop and throws. */
export async function expectLine(
  process: ScriptProcess,
  expected: RegExp,
  timeoutMs: number,
): Promise<string> {
  const line = await withDeadline(process.readLine(), timeoutMs, () => process.createTimeout());
  if (line !== undefined && expected.test(line)) return line;
  process.end();
  throw toFailure(await withDeadline(process.failure(), timeoutMs, () => process.createTimeout()));
}
