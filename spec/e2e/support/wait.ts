import { setTimeout as delay } from 'node:timers/promises';

/** Looking at all processes of a host takes some milliseconds of a core. */
const POLL_MS = 20;

/**
 * Waits until `condition` answers something other than false or undefined and resolves to it. Throws when that takes
 * longer than `timeoutMs`.
 */
export async function waitUntil<T>(
  what: string,
  condition: () => Promise<T | false | undefined>,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await condition();
    if (answer !== false && answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`${what}: did not happen within ${timeoutMs} ms`);
    await delay(POLL_MS);
  }
}
