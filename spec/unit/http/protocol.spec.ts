import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { VERSION } from '../../../src/version.ts';
import { createApp, errorObject, expectEnvelope, NOT_FOUND, type AppUnderTest } from './app-under-test.ts';

let api: AppUnderTest;
beforeEach(async () => {
  api = createApp();
  await api.app.ready();
});

/** Sends bytes to a real socket; all that comes back. */
async function sendRaw(bytes: string): Promise<string> {
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  const socket = connect((api.app.server.address() as AddressInfo).port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
  // The server may hang up while we still send.
  socket.on('error', () => undefined);
  socket.write(bytes);
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}

describe('a path', () => {
  it.each(['/', '/nothing', '/images/1/2/3', '/Images', '//images', '/images/1/', '/favicon.ico'])(
    'that is unknown is 404: %s',
    async (url) => {
      const response = await api.app.inject({ url });
      expect(response.statusCode).toBe(404);
      expect(response.json()).toEqual(NOT_FOUND);
      expectEnvelope(response);
    },
  );

  it.each(['/%zz', '/images/%zz', '/images/%', '/%c0%ae'])(
    'that is malformed gets an error body: %s',
    async (url) => {
      const response = await api.send('ada', { url });
      expectEnvelope(response);
      await expect.poll(() => api.log.lines.length).toBe(1);
      expect(api.log.lines[0]).toMatchObject({ message: 'request', fields: { path: url, status: 404 } });
    },
  );

  it.each([
    ['PUT', '/images', 'GET, HEAD, POST'],
    ['PUT', '/images/1', 'GET, HEAD, PATCH, DELETE'],
    ['GET', '/images/1/done', 'POST'],
    ['HEAD', '/images/1/done', 'POST'],
    ['OPTIONS', '/instances', 'GET, HEAD, POST'],
    ['DELETE', '/instances', 'GET, HEAD, POST'],
    ['POST', '/health_check', 'GET, HEAD'],
    ['POST', '/instances/1', 'GET, HEAD, DELETE'],
  ] as const)('that is known answers 405 to %s %s', async (method, url, allow) => {
    const response = await api.app.inject({ method, url });
    expect(response.statusCode).toBe(405);
    expect(response.headers.allow).toBe(allow);
    expectEnvelope(response);
    if (method === 'HEAD') return;
    expect(response.json()).toEqual(
      errorObject('method_not_allowed', 405, 'Method Not Allowed', `allowed here: ${allow}`),
    );
  });
});

describe('the request log', () => {
  it('has every request but health checks', async () => {
    const { app, log } = createApp();
    for (const url of ['/health_check', '/nothing', '/health_check', '/something']) await app.inject({ url });
    await expect
      .poll(() => log.lines.map(({ fields }) => fields))
      .toMatchObject([{ path: '/nothing' }, { path: '/something' }]);
  });
});

describe('HEAD', () => {
  it('answers with the headers of GET and no body', async () => {
    const get = await api.send('ada', { url: '/images' });
    const head = await api.send('ada', { method: 'HEAD', url: '/images' });
    expect(head.statusCode).toBe(200);
    expect(head.body).toBe('');
    expectEnvelope(head);
    expect(head.headers['content-length']).toBe(get.headers['content-length']);
  });

  it('is guarded as GET is', async () => {
    expect((await api.app.inject({ method: 'HEAD', url: '/images' })).statusCode).toBe(400);
    expect((await api.send(null, { method: 'HEAD', url: '/images' })).statusCode).toBe(401);
  });
});

describe('a real connection', () => {
  const headers = { 'Draupnir-Version': VERSION, Authorization: 'Bearer upload' };

  it('carries exactly the content type of the contract', async () => {
    const attributes = { backed_up_at: '2017-05-01T12:00:00Z', anonymisation_script: '' };
    const agent = request(api.app.server);
    const created = await agent.post('/images').set(headers).send({ data: { attributes } });
    const answers = [
      created,
      await agent.get('/images/1').set(headers),
      await agent.get('/images'),
      await agent.get('/images').set('Draupnir-Version', VERSION),
      await agent.get('/images/2').set(headers),
      await agent.put('/images').set(headers).send({}),
      await agent.post('/images').set(headers).type('text').send('{'),
      await agent
        .post('/images')
        .set(headers)
        .send({ data: 'x'.repeat(5_000_000) }),
      await agent
        .post('/instances')
        .set(headers)
        .send({ data: { attributes: { image_id: 1 } } }),
      await agent.delete('/images/1').set(headers),
    ];
    expect(answers.map((answer) => answer.status)).toEqual([
      201, 200, 400, 401, 404, 405, 400, 413, 422, 204,
    ]);
    for (const answer of answers) expectEnvelope(answer);
  });

  it('does not let two Authorization headers add up, nor two versions', async () => {
    const lines = ['Host: x', 'Connection: close', `Draupnir-Version: ${VERSION}`];
    const ask = (...more: string[]): Promise<string> =>
      sendRaw(['GET /images HTTP/1.1', ...lines, ...more, '', ''].join('\r\n'));
    expect(await ask('Authorization: Bearer mallory', 'Authorization: Bearer ada')).toContain(
      '"unauthorized"',
    );
  });

  it('refuses two version headers', async () => {
    const version = `Draupnir-Version: ${VERSION}`;
    const answer = await sendRaw(
      ['GET /images HTTP/1.1', 'Host: x', 'Connection: close', version, version, '', ''].join('\r\n'),
    );
    expect(answer).toContain('"invalid_api_version"');
  });

  it.each([
    ['headers of 20 kB', `GET /images HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['no HTTP at all', 'hello\r\n\r\n', 400],
    ['a length that is no number', 'POST /images HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n', 400],
  ])('answers %s with an error body and hangs up', async (_, bytes, status) => {
    const answer = await sendRaw(bytes);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head).toMatch(/^content-type: application\/json$/im);
    expect(head).toContain(`Draupnir-Version: ${VERSION}`);
    expect(JSON.parse(body)).toEqual(errorObject('bad_request', status, 'Bad Request', expect.any(String)));
    expect(answer).not.toContain('xxxx');
  });

  it('survives a header of 1 MB', async () => {
    await sendRaw(`GET /images HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(1_000_000)}\r\n\r\n`);
    expect((await api.app.inject({ url: '/health_check' })).statusCode).toBe(200);
  });
});

describe('the line of a request in the log', () => {
  it('holds method, path, status and time, but no query, token or body', async () => {
    const secrets = ['hunter2', 'code-4711', 'row-of-ada'];
    await api.send(null, {
      method: 'POST',
      url: '/images?code=code-4711&state=x',
      headers: { authorization: 'Bearer hunter2', cookie: 'hunter2' },
      payload: '{"row":"row-of-ada"}',
    });
    // Written once the answer is out, which may be after it has arrived.
    await expect.poll(() => api.log.lines.length).toBe(1);
    expect(api.log.lines).toEqual([
      {
        level: 'info',
        message: 'request',
        fields: {
          requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
          method: 'POST',
          path: '/images',
          status: 401,
          durationMs: expect.any(Number) as number,
          address: '127.0.0.1',
        },
      },
    ]);
    const text = JSON.stringify(api.log.lines);
    for (const secret of secrets) expect(text).not.toContain(secret);
  });

  it('is one for each request, whatever came of it', async () => {
    await api.send('ada', { url: '/images' });
    await api.send('ada', { url: '/nothing?code=1' });
    await api.send('ada', { method: 'PUT', url: '/images' });
    await expect.poll(() => api.log.lines.length).toBe(3);
    const fields = api.log.lines.map((line) => line.fields as { path: string; status: number });
    expect(fields.map(({ path, status }) => `${path} ${status}`)).toEqual([
      '/images 200',
      '/nothing 404',
      '/images 405',
    ]);
  });
});
