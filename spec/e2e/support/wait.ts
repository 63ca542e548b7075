import { setTimeout as delay } from 'node:timers/promises';

/**
 * Between two looks, in milliseconds. A look may be a program or a look at all processes of the host, which takes time that others need:
 * what has not happened after some looks is looked at more seldom.
 */
const POLL_MS = 20;
const MAX_POLL_MS = 100;
const GROWTH = 1.4;

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
  for (let pollMs = POLL_MS; ; pollMs = Math.min(GROWTH * pollMs, MAX_POLL_MS)) {
    const answer = await condition();
    if (answer !== false && answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`${what}: did not happen within ${timeoutMs} ms`);
    await delay(pollMs);
  }
}
