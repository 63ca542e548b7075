import { beforeEach, afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { DomainError } from '../../../src/core/errors.ts';
import { ReportingLog } from '../../../src/core/reporting-log.ts';
import { Secret } from '../../../src/core/secret.ts';
import { ScriptError } from '../../../src/exec/script-error.ts';
import { Loop } from '../../../src/jobs/loop.ts';
import { SentryReporter } from '../../../src/sentry/sentry-reporter.ts';
import { FakeSentry } from '../../support/sentry.ts';
import { CALLERS } from '../fakes/fake-authenticator.ts';
import { RecordingLog } from '../fakes/recording-log.ts';
import { createApp, type AppUnderTest } from '../http/app-under-test.ts';

const PLANTED = {
  token: 'planted-token-1f6c',
  email: 'planted.person@example.com',
  script: 'UPDATE planted_table SET x = 1',
  query: 'planted-query-77aa',
  header: 'planted-header-b3d0',
  body: 'planted-body-90ee',
  row: '(4711,Planted Row)',
  output: 'planted output of a child process',
};

let sentry: FakeSentry;
beforeEach(async () => {
  sentry = await FakeSentry.start();
});
afterEach(() => sentry.stop());

/** A reporter to the running Sentry; its clock stands still. */
function createReporter(flushMs = 2000): SentryReporter & { log: RecordingLog; pass: (ms: number) => void } {
  let now = 0;
  const log = new RecordingLog();
  const dsn = new Secret(sentry.dsn);
  const options = { dsn, release: '5.4.0', environment: 'staging', log, flushMs, now: () => now };
  const reporter = new SentryReporter(options);
  onTestFinished(() => reporter.close());
  return Object.assign(reporter, { log, pass: (ms: number) => void (now += ms) });
}

/** An error as libraries make them, with everything that must stay here. */
function createError(): Error {
  const cause = Object.assign(
    new Error(`Command failed: psql\n${PLANTED.output}\n    at ${PLANTED.token} (x:1:1)`),
    {
      name: 'ExecaError',
      stdout: PLANTED.output,
      command: `psql -c '${PLANTED.script}'`,
    },
  );
  const row = `${PLANTED.row} of ${PLANTED.email}`;
  const message = `duplicate key ${row}: ${PLANTED.script}\n    at ${PLANTED.row} (y:2:2)`;
  return Object.assign(new Error(message, { cause }), {
    code: '23505',
    detail: PLANTED.row,
    request: { headers: { authorization: PLANTED.token } },
  });
}

/** Sends a request that carries what must stay here, and fails with it. */
function sendFailing({ send, steps }: AppUnderTest, error: unknown = createError()) {
  steps.failOnce('images.insert', error);
  return send('upload', {
    method: 'POST',
    url: `/images?token=${PLANTED.query}`,
    headers: { 'x-planted': PLANTED.header, cookie: `session=${PLANTED.token}` },
    payload: {
      data: {
        type: 'images',
        attributes: {
          backed_up_at: '2017-05-01T12:00:00Z',
          anonymisation_script: `${PLANTED.script}; -- ${PLANTED.body}`,
        },
      },
    },
  });
}

function expectNothingPlanted(): void {
  const text = sentry.received.join('\n');
  for (const [name, value] of Object.entries(PLANTED)) {
    expect(text.includes(value), name).toBe(false);
    expect(text.includes(encodeURIComponent(value)), name).toBe(false);
  }
}

describe('a report to Sentry', () => {
  it('of a failed request has the allowed fields alone', async () => {
    const errors = createReporter();
    const response = await sendFailing(createApp('exact', { errors }));
    expect(response.statusCode).toBe(500);
    await sentry.waitForRequests(1);
    expectNothingPlanted();
    expect(sentry.itemTypes).toEqual(['event']);
    const [event] = sentry.events;
    expect(Object.keys(event ?? {}).sort()).toEqual([
      ...['environment', 'event_id', 'exception', 'fingerprint', 'level', 'platform', 'release', 'sdk'],
      ...['tags', 'timestamp', 'transaction'],
    ]);
    expect(event).toMatchObject({
      release: '5.4.0',
      environment: 'staging',
      transaction: 'POST /images',
      exception: {
        values: [
          { type: 'ExecaError', value: 'request failed' },
          { type: 'Error', value: 'request failed' },
        ],
      },
    });
    expect(event?.tags).toEqual({
      error_id: 'internal_server_error',
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
      method: 'POST',
      route: '/images',
      status: '500',
      code: '23505',
    });
    const frames = event?.exception.values[1]?.stacktrace?.frames ?? [];
    expect(frames.at(-1)).toMatchObject({ function: 'createError', module: 'draupnir', in_app: true });
    expect(frames.length).toBeGreaterThan(1);
    expect(JSON.stringify(frames)).not.toContain(import.meta.dirname);
  });

  it('names the script that failed, and not what it printed', async () => {
    const errors = createReporter();
    const cause = new ScriptError('draupnir-create-image', 70, PLANTED.output);
    const error = new DomainError('storage_unavailable', PLANTED.row, { cause });
    const response = await sendFailing(createApp('exact', { errors }), error);
    expect(response.statusCode).toBe(503);
    await sentry.waitForRequests(1);
    expectNothingPlanted();
    expect(sentry.events[0]?.tags).toMatchObject({
      error_id: 'storage_unavailable',
      error_kind: 'storage_unavailable',
      script: 'draupnir-create-image',
      exit_code: '70',
    });
  });

  it('of a failed preparation names the image and the step, and is sent once', async () => {
    const errors = createReporter();
    const { images, imageStore, imageDisk, steps, send } = createApp('exact', { errors });
    const id = imageStore.add('pending');
    imageDisk.uploads.add(id);
    steps.failOnce('disk.finaliseImage', createError());
    expect((await send('upload', { method: 'POST', url: `/images/${id}/done` })).statusCode).toBe(500);
    steps.failOnce('disk.finaliseImage', new DomainError('finalise_failed', PLANTED.row));
    await expect(images.finalise(CALLERS.upload, id)).rejects.toMatchObject({ kind: 'finalise_failed' });
    await sentry.waitForRequests(2);
    await errors.close();
    expectNothingPlanted();
    expect(sentry.events.map(({ tags }) => tags)).toEqual([
      { error_id: 'internal_server_error', image_id: String(id), step: 'unpack', code: '23505' },
      { error_id: 'finalise_failed', error_kind: 'finalise_failed', image_id: String(id), step: 'unpack' },
    ]);
  });

  it('of a failed round names the loop', async () => {
    const errors = createReporter();
    const round = (): Promise<void> => Promise.reject(createError());
    const loop = new Loop({ name: 'clean', intervalMs: 60_000, round, log: new RecordingLog(), errors });
    loop.start();
    await sentry.waitForRequests(1);
    await loop.stop();
    expectNothingPlanted();
    expect(sentry.events[0]).toMatchObject({
      transaction: 'clean',
      tags: { error_id: 'round_failed', loop: 'clean' },
    });
  });

  it('of an error that was logged in the background has the constant message alone', async () => {
    const log = new ReportingLog(new RecordingLog(), createReporter());
    log.error({ userEmail: PLANTED.email, err: createError() }, 'cannot clean up after user');
    await sentry.waitForRequests(1);
    expectNothingPlanted();
    expect(sentry.events[0]?.exception.values[1]).toMatchObject({ value: 'cannot clean up after user' });
  });

  it('of what is no error has no data', async () => {
    createReporter().report(PLANTED.row, { failure: 'unexpected failure', errorId: 'unexpected_failure' });
    await sentry.waitForRequests(1);
    expectNothingPlanted();
    expect(sentry.events[0]?.exception.values).toEqual([{ type: 'unknown', value: 'unexpected failure' }]);
  });

  it('is not made of an answer below 500', async () => {
    const errors = createReporter();
    const { send } = createApp('exact', { errors });
    expect((await send('upload', { url: '/images/99' })).statusCode).toBe(404);
    expect((await send(null, { url: '/images' })).statusCode).toBe(401);
    await errors.close();
    expect(sentry.received).toEqual([]);
  });

  it('is sent once a minute for one kind of error, with the number of those between', async () => {
    const errors = createReporter();
    const report = (errorId: string): void =>
      errors.report(new Error('x'), { failure: 'request failed', errorId, method: 'GET', route: '/images' });
    for (let count = 0; count < 5; count++) report('database_unavailable');
    report('too_busy');
    errors.pass(60_000);
    report('database_unavailable');
    await sentry.waitForRequests(3);
    await errors.close();
    const found = sentry.events.map(({ tags }) => [tags.error_id, tags.suppressed]);
    expect(found.sort()).toEqual([
      ['database_unavailable', undefined],
      ['database_unavailable', '4'],
      ['too_busy', undefined],
    ]);
  });
});

describe('a Sentry', () => {
  it('that hangs slows neither requests nor the stop', async () => {
    sentry.fault = 'hangs';
    const errors = createReporter(500);
    const app = createApp('exact', { errors });
    const started = performance.now();
    for (let count = 0; count < 100; count++) {
      errors.pass(60_000);
      expect((await sendFailing(app)).statusCode).toBe(500);
    }
    await sentry.waitForRequests(1);
    // Each of them waiting for the time-out of a report would take 1000 s.
    expect(performance.now() - started).toBeLessThan(10_000);
    const stopping = performance.now();
    await errors.close();
    const stopMs = performance.now() - stopping;
    expect(stopMs).toBeGreaterThan(400);
    expect(stopMs).toBeLessThan(1500);
    // The queue is bounded.
    expect(sentry.received.length).toBeLessThanOrEqual(30);
  });

  it('that answers lets the stop end at once', async () => {
    const errors = createReporter();
    errors.report(new Error('x'), { failure: 'round failed', errorId: 'round_failed' });
    const stopping = performance.now();
    await errors.close();
    expect(performance.now() - stopping).toBeLessThan(1500);
    expect(sentry.events).toHaveLength(1);
  });

  it.each(['breaks', 'refuses'] as const)('that %s fails nothing', async (fault) => {
    sentry.fault = fault;
    const errors = createReporter();
    errors.report(new Error('x'), { failure: 'round failed', errorId: 'round_failed' });
    await sentry.waitForRequests(1);
    await errors.close();
    const logged = errors.log.lines.map(({ level, fields, message }) => ({ level, fields, message }));
    expect(logged).toMatchObject(
      fault === 'refuses' ? [{ level: 'error', fields: { part: 'sentry' }, message: 'fails' }] : [],
    );
    expect(JSON.stringify(logged)).not.toContain('planted_dsn_key');
  });
});
