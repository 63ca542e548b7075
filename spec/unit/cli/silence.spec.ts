import type { ServerResponse } from 'node:http';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../../src/cli/api-client.ts';
import { createClient, SHORT_LIMITS } from '../../support/cli/client.ts';
import { imageResource, instanceDocument } from '../../support/cli/resources.ts';
import { startStubServer } from '../../support/cli/stub-server.ts';
import { startTcpServer } from '../../support/cli/tcp-server.ts';
import { createTestCertificates, type TestCertificates } from '../../support/cli/test-certificates.ts';

/** For servers that never answer: waited for in full, and safe on a busy machine, however short. */
const BRIEF = { silenceMs: 50, signInMs: 100 };
const LOOK_FIRST =
  'the work may have been done or still be going on: look with the list command before trying again';

let certificates: TestCertificates;
beforeAll(() => {
  certificates = createTestCertificates();
});

const ORDINARY: [string, (client: ApiClient) => Promise<unknown>][] = [
  ['listing images', (client) => client.listImages()],
  ['listing instances', (client) => client.listInstances()],
  ['reading an instance', (client) => client.getInstance(4)],
];
const WORK: [string, (client: ApiClient) => Promise<unknown>][] = [
  ['creating an image', (client) => client.createImage('2017-05-01T12:00:00Z', '')],
  ['destroying an image', (client) => client.destroyImage(1)],
  ['creating an instance', (client) => client.createInstance(1)],
  ['rotating an instance', (client) => client.rotateInstance(4)],
  ['destroying an instance', (client) => client.destroyInstance(4)],
];

describe('a silent server', () => {
  it('fails a TLS handshake', async () => {
    const domain = await startTcpServer(() => undefined);
    await expect(
      createClient(domain, { https: true, limits: { connectMs: 50 } }).listImages(),
    ).rejects.toMatchObject({
      message: `cannot connect to https://${domain}: it does not answer within 0.05 s`,
      hint: 'check the network, and whether a firewall is in between',
    });
  });

  it.each(ORDINARY)('fails %s', async (_what, ask) => {
    const domain = await startTcpServer((socket) => socket.resume());
    await expect(ask(createClient(domain, { limits: BRIEF }))).rejects.toMatchObject({
      message: `http://${domain} has not answered for 0.05 s`,
      hint: 'check the server, then try again',
    });
  });

  it.each(WORK)('fails %s, with a word about what may have been done', async (_what, ask) => {
    const domain = await startTcpServer((socket) => socket.resume());
    await expect(ask(createClient(domain, { limits: BRIEF }))).rejects.toMatchObject({
      message: `http://${domain} has not answered for 0.05 s`,
      hint: LOOK_FIRST,
    });
  });

  it('fails a sign-in, later', async () => {
    const domain = await startTcpServer((socket) => socket.resume());
    const client = createClient(domain, { limits: BRIEF });
    await expect(client.createAccessToken('s')).rejects.toThrow(
      `http://${domain} has not answered for 0.1 s`,
    );
  });

  it('fails a finalisation when it stays silent', async () => {
    const domain = await startTcpServer((socket) => socket.resume());
    const client = createClient(domain, { limits: { ...BRIEF, outageMs: 200 } });
    await expect(client.finaliseImage(1)).rejects.toMatchObject({
      message: expect.stringContaining(`http://${domain} has not answered for 0.05 s`) as string,
      hint: 'the image may be finalised nevertheless; the same command waits for it again',
    });
  });

  it('fails within its answer', async () => {
    const stub = await startStubServer({
      'GET /images': (response) => {
        response.writeHead(200, { 'Content-Length': '100' });
        response.write('{"data": [');
      },
    });
    await expect(createClient(stub.domain, { limits: BRIEF }).listImages()).rejects.toThrow(
      'has not answered for 0.05 s',
    );
  });
});

describe('a slow server', () => {
  const limits = SHORT_LIMITS;

  it('is waited for while something comes', async () => {
    const text = JSON.stringify({ data: [imageResource(1)] });
    const stub = await startStubServer({
      'GET /images': (response) => {
        setTimeout(() => {
          response.writeHead(200, { 'Content-Type': 'application/json' }).write(text.slice(0, 10));
          setTimeout(() => response.end(text.slice(10)), 250);
        }, 250);
      },
    });
    expect(await createClient(stub.domain, { limits }).listImages()).toHaveLength(1);
  });

  /** A server that answers the request after so many health checks. */
  const answerAfterProbes = (count: number, line: string, answer: (response: ServerResponse) => void) => {
    const probed = Promise.withResolvers<undefined>();
    let left = count;
    return {
      [line]: (response: ServerResponse) => void probed.promise.then(() => answer(response)),
      'GET /health_check': (response: ServerResponse) => {
        response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"status":"ok"}');
        left -= 1;
        if (left === 0) probed.resolve(undefined);
      },
    };
  };

  it('is waited for while it works and answers its health check, without the token', async () => {
    const stub = await startStubServer(
      answerAfterProbes(2, 'POST /instances', (response) => {
        response.writeHead(201, { 'Content-Type': 'application/json' });
        response.end(JSON.stringify(instanceDocument(4)));
      }),
    );
    expect(await createClient(stub.domain, { limits }).createInstance(1)).toMatchObject({ id: 4 });
    const probes = stub.seen.filter(({ line }) => line === 'GET /health_check');
    expect(probes.length).toBeGreaterThan(1);
    for (const { headers } of probes) expect(headers).not.toHaveProperty('authorization');
  });

  it('is waited for also over TLS', async () => {
    const stub = await startStubServer(
      answerAfterProbes(1, 'DELETE /instances/4', (response) => response.writeHead(204).end()),
      certificates,
    );
    const client = createClient(stub.domain, { https: true, verify: false, limits });
    await client.destroyInstance(4);
    expect(stub.seen.map(({ line }) => line)).toContain('GET /health_check');
  });

  it('is waited for while a user signs in', async () => {
    const token = { access_token: 'a', token_type: '', refresh_token: 'r', expiry: '' };
    const stub = await startStubServer({
      'POST /access_tokens': (response) => {
        const answer = () =>
          response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(token));
        setTimeout(answer, limits.silenceMs + 100);
      },
    });
    const slow = { ...limits, signInMs: 5000 };
    expect(await createClient(stub.domain, { limits: slow }).createAccessToken('s')).toEqual(token);
  });
});
