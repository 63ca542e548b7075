import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FakeSentry } from '../support/sentry.ts';

const SOURCES = JSON.stringify(new URL('../../src/', import.meta.url));

/** What both processes begin with. */
const START = `
  import { registerHooks } from 'node:module';
  let read = false;
  registerHooks({
    load(url, context, next) {
      read ||= url.includes('/@sentry/');
      return next(url, context);
    },
  });
  const { openErrorReporter } = await import(${SOURCES} + 'server/error-reporting.ts');
  const { Secret } = await import(${SOURCES} + 'core/secret.ts');
  const { closeOnSignal } = await import(${SOURCES} + 'server/close-on-signal.ts');
  const config = { environment: 'test', shutdownTimeoutMs: 5000 };
  const quiet = () => undefined;
  const log = { info: quiet, warn: quiet, error: quiet, fatal: quiet };
  const open = (dsn) => openErrorReporter({ ...config, sentryDsn: new Secret(dsn) }, log);
`;

/** Fails in a server without work, which is closed as the real one is. */
const FAIL = `
  const errors = await open(process.argv[1]);
  const opened = new AsyncDisposableStack();
  opened.use(errors);
  const part = { close: () => Promise.resolve() };
  const app = { images: part, instances: part, credentials: part, logins: part };
  const composition = { app, loops: [], coolDown: () => Promise.resolve() };
  closeOnSignal(config, { composition, listeners: [], opened, log, errors });
  setInterval(quiet, 1000);
`;

function runNode(script: string, ...args: string[]): Promise<{ stdout: string }> {
  return promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script, '--', ...args]);
}

describe("Sentry's SDK", () => {
  it('is loaded only with a DSN, and lets the process end', async () => {
    const script = `${START}
      const none = await openErrorReporter(config, log);
      const without = read;
      await (await open('http://key@127.0.0.1:9/1'))[Symbol.asyncDispose]();
      process.stdout.write(JSON.stringify({ none: none === undefined, without, with: read }));`;
    expect(JSON.parse((await runNode(script)).stdout)).toEqual({ none: true, without: false, with: true });
  });

  it.each([
    ['an uncaught error', `setImmediate(() => { throw new TypeError('planted row'); });`],
    ['an unhandled rejection', `void Promise.reject(new TypeError('planted row'));`],
  ])('gets %s before the process ends', async (_what, failure) => {
    const sentry = await FakeSentry.start();
    onTestFinished(() => sentry.stop());
    await expect(runNode(`${START}${FAIL}${failure}`, sentry.dsn)).rejects.toMatchObject({ code: 1 });
    expect(sentry.received.join('\n')).not.toContain('planted row');
    expect(sentry.events).toMatchObject([
      {
        tags: { error_id: 'unexpected_failure' },
        exception: { values: [{ type: 'TypeError', value: 'unexpected failure' }] },
      },
    ]);
  });
});
