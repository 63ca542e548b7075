/**
 * The failpoints of the server and of the worker of a preparation, which a build of the fault tests has in the place of `src/failpoints.ts`: every call
 * of the domain into the world is one, and every step of a preparation, before and after.
 */
import { appendFileSync, existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Where the test says what is to happen; put in by the build. */
declare const FAILPOINTS: string;

/** How long a call hangs before it fails, as a deadline would make it fail, in milliseconds. */
const HANG_MS = 1500;

/** As good as for ever, in milliseconds. */
const HOURS_MS = 36_000_000;

/** Parts that are reached at no failpoint: they are of this process alone, or are wrapped already. */
const OWN = new Set(['log', 'limiter', 'portRange', 'sealer', 'instances']);
/** Methods that answer at once and cannot fail. */
const PLAIN = new Set(['forget']);

type Call = (...args: unknown[]) => unknown;

/** Makes every method of the parts two failpoints; `kind` tells whose parts they are. */
export function withFailpoints<Parts extends object>(kind: string, parts: Parts): Parts {
  const entries = Object.entries(parts).map(([name, part]: [string, unknown]) => [
    name,
    OWN.has(name) ? part : wrap(`${kind}.${name}`, part),
  ]);
  return Object.fromEntries(entries) as Parts;
}

function wrap(name: string, part: unknown): unknown {
  if (typeof part === 'function') return wrapCall(name, part as Call);
  if (typeof part !== 'object' || part === null) return part;
  return new Proxy(part, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function' || typeof key !== 'string') return value;
      if (PLAIN.has(key)) return (value as Call).bind(target);
      return wrapCall(`${name}.${key}`, (value as Call).bind(target));
    },
  });
}

function wrapCall(name: string, call: Call): Call {
  return (...args) => {
    const before = reach(`${name}:before`);
    if (before) return before;
    const result = call(...args);
    if (!(result instanceof Promise)) return result;
    return result.then(async (value: unknown) => {
      await reach(`${name}:after`);
      // What a script has started is gone on with by further calls.
      return isConversation(value) ? wrapConversation(name, value) : value;
    });
  };
}

function isConversation(value: unknown): value is object {
  return typeof value === 'object' && value !== null && 'open' in value && typeof value.open === 'function';
}

function wrapConversation(name: string, value: object): object {
  return Object.fromEntries(
    Object.entries(value).map(([key, part]: [string, unknown]) => [
      key,
      typeof part === 'function' ? wrapCall(`${name}.${key}`, part as Call) : part,
    ]),
  );
}

/** Does what was asked for at this point, once; undefined where nothing was. */
function reach(point: string): Promise<never> | undefined {
  if (existsSync(join(FAILPOINTS, 'tracing'))) appendFileSync(join(FAILPOINTS, 'trace'), `${point}\n`);
  const file = join(FAILPOINTS, 'armed');
  const [armed, action] = existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ') : [];
  if (armed !== point) return undefined;
  try {
    // Whoever takes it away has reached it; the test takes it away as well.
    renameSync(file, join(FAILPOINTS, 'reached'));
  } catch {
    return undefined;
  }
  if (action === 'kill') process.kill(process.pid, 'SIGKILL');
  // Of a worker; whoever waits for this kills the server, which ends the worker.
  if (action === 'kill-server') return delay(HOURS_MS).then(() => fail(point, action));
  return fail(point, action);
}

async function fail(point: string, action: string | undefined): Promise<never> {
  if (action === 'hang') await delay(HANG_MS);
  throw new Error(`failpoint ${point}`);
}
