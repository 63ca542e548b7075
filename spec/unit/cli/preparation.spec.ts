import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { TimeLimits } from '../../../src/cli/time-limits.ts';
import { createClient, SHORT_LIMITS } from '../../support/cli/client.ts';
import { imageResource } from '../../support/cli/resources.ts';
import { apiError, startStubServer, type StubAnswer } from '../../support/cli/stub-server.ts';

const DONE = 'POST /images/1/done';
const LOOK = 'GET /images/1?fields%5Bimages%5D=backed_up_at,created_at,ready,updated_at,status,failure';
const ERROR = 'GET /images/1?fields%5Bimages%5D=error';

type Script = 'hang up' | StubAnswer;

const PAGE_504: StubAnswer = { status: 504, type: 'text/html', body: '<html>Gateway Time-out' };
const ACCEPTED: StubAnswer = {
  status: 202,
  body: { data: imageResource(1, { ready: false }) },
  headers: { 'Preference-Applied': 'respond-async' },
};
const READY: StubAnswer = { status: 200, body: { data: imageResource(1) } };

function seen(status: string, failure: string | null = null): StubAnswer {
  const { attributes, ...resource } = imageResource(1, { ready: status === 'ready' });
  return { status: 200, body: { data: { ...resource, attributes: { ...attributes, status, failure } } } };
}

function refused(status: number, id: string, title: string, detail: string): StubAnswer {
  return { status, body: apiError(id, title, detail) };
}

const FAILURE = apiError('insufficient_disk', 'Insufficient Disk', 'the volume is full');
const REPORTED: StubAnswer = {
  status: 200,
  body: { data: { type: 'images', id: '1', attributes: { error: FAILURE } } },
};

/** A server that gives its answers to each request line in order; the last one again and again. */
async function startScripted(scripts: Record<string, Script[]>) {
  const answers = Object.entries(scripts).map(([line, script]) => {
    const rest = [...script];
    const answer = () => (rest.length > 1 ? rest.shift() : rest[0]) ?? 'hang up';
    return [line, answer] as const;
  });
  return await startStubServer(
    Object.fromEntries(
      answers.map(([line, getAnswer]) => [
        line,
        (response) => {
          const answer = getAnswer();
          if (answer === 'hang up') {
            response.destroy();
            return;
          }
          const { status, type = 'application/json', body, headers } = answer;
          response.writeHead(status, { 'Content-Type': type, ...headers });
          response.end(typeof body === 'string' ? body : JSON.stringify(body));
        },
      ]),
    ),
  );
}

async function finalise(scripts: Record<string, Script[]>, limits: Partial<TimeLimits> = {}) {
  const stub = await startScripted(scripts);
  const client = createClient(stub.domain, { limits: { ...SHORT_LIMITS, connectMs: 10_000, ...limits } });
  const outcome: unknown = await client.finaliseImage(1).catch((error: unknown) => error);
  return { outcome, lines: stub.seen.map(({ line }) => line), stub };
}

describe('the finalisation of an image', () => {
  it('does not make its request wait, and looks until the image is ready', async () => {
    const { outcome, lines, stub } = await finalise({
      [DONE]: [ACCEPTED],
      [LOOK]: [seen('finalising'), seen('finalising'), seen('ready')],
    });
    expect(outcome).toMatchObject({ id: 1, ready: true });
    expect(lines).toEqual([DONE, LOOK, LOOK, LOOK]);
    expect(stub.seen[0]?.headers).toMatchObject({ prefer: 'respond-async' });
  });

  it.each([
    ['of an earlier version, that makes it wait', READY],
    ['that has the image ready', seen('ready')],
  ])('ends with the answer of a server %s', async (_what, answer) => {
    const { outcome, lines } = await finalise({ [DONE]: [answer] });
    expect(outcome).toMatchObject({ id: 1, ready: true });
    expect(lines).toEqual([DONE]);
  });

  it('fails as the waiting request would have', async () => {
    const { outcome, lines } = await finalise({
      [DONE]: [ACCEPTED],
      [LOOK]: [seen('finalising'), seen('failed', 'the volume is full')],
      [ERROR]: [REPORTED],
    });
    expect(outcome).toMatchObject({ message: 'Insufficient Disk (the volume is full)', exitCode: 1 });
    expect(lines).toEqual([DONE, LOOK, LOOK, ERROR]);
  });

  it('fails with the reason alone on a server that does not report the error', async () => {
    const { outcome } = await finalise({
      [DONE]: [ACCEPTED],
      [LOOK]: [seen('failed', 'line 3: 42P01')],
      [ERROR]: [refused(400, 'unknown_field', 'Unknown Field', 'fields[images] may name …')],
    });
    expect(outcome).toMatchObject({ message: 'Finalise Failed (line 3: 42P01)', exitCode: 1 });
  });

  it.each([
    ['forbidden', 403, 'Forbidden'],
    ['resource_not_found', 404, 'Resource Not Found'],
    ['finalise_failed', 422, 'Finalise Failed'],
    ['too_busy', 503, 'Too Busy'],
    ['insufficient_disk', 507, 'Insufficient Disk'],
  ])('fails at once with what the server answers the request: %s', async (id, status, title) => {
    const { outcome, lines } = await finalise({ [DONE]: [refused(status, id, title, 'no')] });
    expect(outcome).toMatchObject({ message: `${title} (no)` });
    expect(lines).toEqual([DONE]);
  });

  it('fails when the image is destroyed meanwhile', async () => {
    const { outcome } = await finalise({
      [DONE]: [ACCEPTED],
      [LOOK]: [seen('finalising'), refused(404, 'resource_not_found', 'Resource Not Found', 'gone')],
    });
    expect(outcome).toMatchObject({ message: 'Resource Not Found (gone)' });
  });

  it.each([
    ['a proxy that loses patience', PAGE_504],
    ['a connection that breaks', 'hang up' as const],
    [
      'a server that stops',
      refused(503, 'finalise_interrupted', 'Finalise Interrupted', 'the server is stopping'),
    ],
  ])('survives %s', async (_what, loss) => {
    const { outcome, lines } = await finalise({
      [DONE]: [loss],
      [LOOK]: [seen('finalising'), loss === PAGE_504 ? loss : 'hang up', seen('finalising'), seen('ready')],
    });
    expect(outcome).toMatchObject({ id: 1, ready: true });
    expect(lines.filter((line) => line === DONE)).toHaveLength(1);
  });

  it('survives answers that put it off', async () => {
    const { outcome } = await finalise({
      [DONE]: [ACCEPTED],
      [LOOK]: [
        refused(503, 'database_unavailable', 'Database Unavailable', 'try again'),
        refused(429, 'too_many_requests', 'Too Many Requests', 'try again'),
        { status: 502, type: 'text/html', body: '<html>' },
        { status: 503, type: 'text/html', body: '<html>' },
        seen('ready'),
      ],
    });
    expect(outcome).toMatchObject({ ready: true });
  });

  it.each([
    ['has failed before', seen('failed', 'an earlier one')],
    ['has not begun', seen('pending')],
  ])('asks again when the request is lost and the image %s', async (_what, before) => {
    const { outcome, lines } = await finalise({
      [DONE]: ['hang up', ACCEPTED],
      [LOOK]: [before, seen('finalising'), seen('ready')],
    });
    expect(outcome).toMatchObject({ ready: true });
    expect(lines.filter((line) => line === DONE)).toHaveLength(2);
  });

  it('reports its own failure, not that of an earlier one, after a lost request', async () => {
    const { outcome } = await finalise({
      [DONE]: ['hang up', ACCEPTED],
      [LOOK]: [seen('failed', 'an earlier one'), seen('failed', 'this one')],
    });
    expect(outcome).toMatchObject({ message: 'Finalise Failed (this one)' });
  });

  it('has no way to go on when a server of 5.3 loses the request, but for a ready image', async () => {
    const unknown: StubAnswer = { status: 200, body: { data: imageResource(1, { ready: false }) } };
    const lost = await finalise({ [DONE]: [PAGE_504], [LOOK]: [unknown] });
    expect((lost.outcome as Error).message).toMatch(/ answered 504 with text\/html, which is no answer/);
    expect(lost.lines).toEqual([DONE, LOOK]);
    const ready = await finalise({ [DONE]: [PAGE_504], [LOOK]: [READY] });
    expect(ready.outcome).toMatchObject({ ready: true });
  });

  it('does not look for a server that was never reached', async () => {
    const closed = createServer().listen(0, 'localhost');
    await once(closed, 'listening');
    const domain = `localhost:${(closed.address() as AddressInfo).port}`;
    await new Promise((resolve) => closed.close(resolve));
    await expect(createClient(domain, { limits: SHORT_LIMITS }).finaliseImage(1)).rejects.toThrow(
      /: connection refused$/,
    );
  });

  it('gives up when the server does not come back, and names the way to go on', async () => {
    const { outcome } = await finalise(
      { [DONE]: [ACCEPTED], [LOOK]: [seen('finalising'), 'hang up'] },
      { outageMs: 100 },
    );
    expect(outcome).toMatchObject({
      message: expect.stringMatching(/^no answer for 0 s; at last: .* ended the connection/) as string,
      hint: 'the image may be finalised nevertheless; the same command waits for it again',
      exitCode: 1,
    });
  });

  it('asks again for a bounded time only', async () => {
    const { outcome, lines } = await finalise(
      { [DONE]: ['hang up'], [LOOK]: [seen('pending')] },
      { outageMs: 300 },
    );
    expect(outcome).toMatchObject({ message: expect.stringContaining('no answer for') as string });
    expect(lines.length).toBeGreaterThan(2);
  });

  it('survives a restart of the server', async () => {
    let status = 'finalising';
    const begin = (port: number): Server =>
      createServer((request, response) => {
        const answer = request.method === 'POST' ? ACCEPTED : seen(status);
        response.writeHead(answer.status, { 'Content-Type': 'application/json' });
        response.end(JSON.stringify(answer.body));
        looked.resolve(undefined);
      }).listen(port, 'localhost');
    let looked = Promise.withResolvers<undefined>();
    const first = begin(0);
    await once(first, 'listening');
    const { port } = first.address() as AddressInfo;
    const finalised = createClient(`localhost:${port}`, { limits: SHORT_LIMITS }).finaliseImage(1);
    await looked.promise;
    first.closeAllConnections();
    await new Promise((resolve) => first.close(resolve));
    looked = Promise.withResolvers();
    const second = begin(port);
    onTestFinished(() => {
      second.closeAllConnections();
      second.close();
    });
    await looked.promise;
    status = 'ready';
    expect(await finalised).toMatchObject({ ready: true });
  });
});
