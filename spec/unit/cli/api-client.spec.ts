import type { ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from '../../../src/cli/api-client.ts';
import { VERSION } from '../../../src/version.ts';
import { type ClientOptions, createClient, TOKEN } from '../../support/cli/client.ts';
import { imageResource, instanceDocument, instanceResource } from '../../support/cli/resources.ts';
import { apiError, type StubServer, startStubServer } from '../../support/cli/stub-server.ts';
import { createTestCertificates, type TestCertificates } from '../../support/cli/test-certificates.ts';

function connect({ domain }: Pick<StubServer, 'domain'>, options: ClientOptions = {}): ApiClient {
  return createClient(domain, options);
}

describe('API client', () => {
  it('says who it is, which version it speaks and what it takes', async () => {
    const stub = await startStubServer({ 'GET /images': { status: 200, body: { data: [] } } });
    expect(await connect(stub).listImages()).toEqual([]);
    expect(stub.seen[0]?.headers).toMatchObject({
      authorization: `Bearer ${TOKEN}`,
      'draupnir-version': VERSION,
      accept: 'application/json',
      connection: 'close',
    });
  });

  it('sends the documents of the contract', async () => {
    const stub = await startStubServer({
      'POST /images': { status: 201, body: { data: imageResource(1, { ready: false }) } },
      'POST /images/1/done': { status: 200, body: { data: imageResource(1) } },
      'POST /instances': { status: 201, body: instanceDocument(4) },
      'POST /access_tokens': { status: 201, body: { access_token: 'a', refresh_token: 'r', expiry: 'e' } },
      'DELETE /instances/4': { status: 204 },
      'DELETE /images/1': { status: 204 },
    });
    const client = connect(stub);
    expect(await client.createImage('2017-05-01T12:00:00+02:00', 'SELECT 1;')).toMatchObject({
      id: 1,
      ready: false,
    });
    await client.createImage('2017-05-01T12:00:00Z', 'SELECT 1;', 'SELECT 2;');
    expect(await client.finaliseImage(1)).toMatchObject({ id: 1, ready: true });
    expect(await client.createInstance(1)).toMatchObject({ id: 4, credentials: { clientKey: 'the key\n' } });
    expect(await client.createAccessToken('s')).toEqual({
      access_token: 'a',
      refresh_token: 'r',
      expiry: 'e',
      token_type: '',
    });
    await client.destroyInstance(4);
    await client.destroyImage(1);

    expect(stub.seen.map(({ body }): unknown => (body === '' ? '' : JSON.parse(body)))).toEqual([
      {
        data: {
          type: 'images',
          attributes: { backed_up_at: '2017-05-01T12:00:00+02:00', anonymisation_script: 'SELECT 1;' },
        },
      },
      {
        data: {
          type: 'images',
          attributes: {
            backed_up_at: '2017-05-01T12:00:00Z',
            anonymisation_script: 'SELECT 1;',
            verification_script: 'SELECT 2;',
          },
        },
      },
      '',
      { data: { type: 'instances', attributes: { image_id: '1' } } },
      { data: { type: 'access_tokens', attributes: { state: 's' } } },
      '',
      '',
    ]);
    expect(stub.seen[2]?.headers).toMatchObject({ 'content-length': '0' });
  });

  it('finds the ready image that was updated last', async () => {
    const stub = await startStubServer({
      'GET /images': {
        status: 200,
        body: {
          data: [
            imageResource(1, { updated_at: '2017-05-03T00:00:00Z' }),
            imageResource(2, { updated_at: '2017-05-02T00:00:00Z' }),
            imageResource(3, { updated_at: '2017-05-04T00:00:00Z', ready: false }),
          ],
        },
      },
    });
    expect(await connect(stub).findLatestImage()).toMatchObject({ id: 1 });
  });

  it('shows an error of the API as title and detail', async () => {
    const body = apiError('no_free_port', 'No Free Port', 'destroy an instance first');
    const stub = await startStubServer({ 'POST /instances': { status: 503, body } });
    await expect(connect(stub).createInstance(1)).rejects.toThrow(
      /^No Free Port \(destroy an instance first\)$/,
    );
  });

  const SIGN_IN =
    'sign in: draupnir authenticate --force; ' +
    'a bot needs the shared secret as Token.RefreshToken in its settings file';
  const NO_SIGN_IN =
    'sign-in is disabled on this server: ' +
    'ask its operator for a token, to be Token.RefreshToken in the settings file';

  it.each([
    ['can sign in', { 'WWW-Authenticate': 'Bearer realm="draupnir"' }, SIGN_IN],
    ['may be able to sign in, on an earlier server', {}, SIGN_IN],
    ['cannot sign in', { 'WWW-Authenticate': 'Bearer realm="draupnir", sign_in="disabled"' }, NO_SIGN_IN],
  ])('explains a 401 to a user who %s', async (_who, headers: Record<string, string>, hint) => {
    const body = apiError('unauthorized', 'Unauthorized', 'You do not have permission to view this resource');
    const stub = await startStubServer({ 'GET /instances': { status: 401, body, headers } });
    await expect(connect(stub).listInstances()).rejects.toMatchObject({
      message: 'Unauthorized (You do not have permission to view this resource)',
      hint,
    });
  });

  it('explains a sign-in that is disabled', async () => {
    const body = apiError('bad_request', 'OAuth Error', 'There was some oauth error');
    const headers = { 'WWW-Authenticate': 'Bearer realm="draupnir", sign_in="disabled"' };
    const stub = await startStubServer({ 'POST /access_tokens': { status: 400, body, headers } });
    await expect(connect(stub).createAccessToken('s')).rejects.toMatchObject({
      message: 'OAuth Error (There was some oauth error)',
      hint: NO_SIGN_IN,
    });
  });

  it.each([
    [
      'the page of a proxy',
      { status: 502, type: 'text/html; charset=utf-8', body: '<html>Bad Gateway' },
      '502 with text/html',
    ],
    [
      'a page instead of data',
      { status: 200, type: 'text/html', body: '<html>Welcome' },
      '200 with text/html',
    ],
    ['an empty error', { status: 500, type: '', body: '' }, '500 with no content'],
    ['an error of another shape', { status: 400, body: { message: 'no' } }, '400 with application/json'],
    [
      'a redirect',
      { status: 301, type: 'text/html', body: '', headers: { Location: 'https://x.example/' } },
      '301 with text/html, redirecting to https://x.example/',
    ],
  ])('does not take %s for an answer', async (_name, answer, expected) => {
    const stub = await startStubServer({ 'GET /images': answer });
    await expect(connect(stub).listImages()).rejects.toThrow(
      `http://${stub.domain} answered ${expected}, which is no answer of a Draupnir server`,
    );
  });

  it.each([
    ['no object', 'null'],
    ['no data', {}],
    ['no list', { data: {} }],
    ['no resource', { data: [null] }],
    ['no attributes', { data: [{ type: 'instances', id: '1' }] }],
    ['a hostile id', { data: [{ ...instanceResource(1), id: '1; reboot' }] }],
    [
      'no port',
      { data: [{ ...instanceResource(1), attributes: { ...instanceResource(1).attributes, port: '1' } }] },
    ],
    [
      'no time',
      {
        data: [
          { ...instanceResource(1), attributes: { ...instanceResource(1).attributes, created_at: 'x' } },
        ],
      },
    ],
  ])('refuses an answer with %s', async (_name, body) => {
    const stub = await startStubServer({ 'GET /instances': { status: 200, body } });
    await expect(connect(stub).listInstances()).rejects.toThrow('gave an answer that cannot be used');
  });

  it('refuses an instance without credentials', async () => {
    const stub = await startStubServer({
      'GET /instances/4': { status: 200, body: { data: instanceResource(4) } },
    });
    await expect(connect(stub).getInstance(4)).rejects.toThrow('the credentials are missing');
  });

  it('says when nobody listens', async () => {
    const server = createServer();
    const port = await new Promise((resolve) => {
      server.listen(0, 'localhost', () => resolve((server.address() as { port: number }).port));
    });
    await new Promise((resolve) => server.close(resolve));
    const client = connect({ domain: `localhost:${String(port)}` });
    await expect(client.listImages()).rejects.toThrow(
      `cannot connect to http://localhost:${String(port)}: connection refused`,
    );
  });

  it('says when there is no such host', async () => {
    // RFC 6761 keeps .invalid free of hosts for good; without a network the look-up itself fails.
    await expect(connect({ domain: 'draupnir.invalid' }).listImages()).rejects.toThrow(
      /^cannot connect to http:\/\/draupnir\.invalid: (there is no host of that name|its name could not be looked up)$/,
    );
  });

  it.each([
    ['before', (response: ServerResponse) => response.destroy()],
    [
      'within',
      (response: ServerResponse) => {
        response.writeHead(200, { 'Content-Length': '100' });
        response.write('{"data": [', () => response.destroy());
      },
    ],
  ])('says when the server goes away %s its answer', async (_name, answer) => {
    const stub = await startStubServer({ 'GET /images': answer });
    await expect(connect(stub).listImages()).rejects.toThrow(
      'ended the connection without a complete answer',
    );
  });

  it('refuses a token that cannot be a header, without showing it', () => {
    const server = new URL('http://localhost');
    const create = () => new ApiClient({ server, token: 'the\nsecret', verifyCertificate: true });
    expect(create).toThrow('the stored token holds characters that no token has');
  });

  it('sends no authorization without a token', async () => {
    const stub = await startStubServer({ 'GET /images': { status: 200, body: { data: [] } } });
    await new ApiClient({
      server: new URL(`http://${stub.domain}`),
      token: '',
      verifyCertificate: true,
    }).listImages();
    expect(stub.seen[0]?.headers).not.toHaveProperty('authorization');
  });

  it('escapes the state in the link for the browser', () => {
    expect(connect({ domain: 'draupnir.example.com' }, { https: true }).getSignInUrl('a&b')).toBe(
      'https://draupnir.example.com/authenticate?state=a%26b',
    );
  });
});

describe('API client over TLS', () => {
  const images = { 'GET /images': { status: 200, body: { data: [imageResource(1)] } } };
  let certificates: TestCertificates;
  beforeAll(() => {
    certificates = createTestCertificates();
  });

  it.each([
    ['alone', false],
    ['with its authority', true],
  ])(
    'refuses a certificate (%s) that nobody it trusts has signed, before it sends anything',
    async (_name, whole) => {
      const { certificate, authority } = certificates;
      const sent = whole ? { ...certificates, certificate: certificate + authority } : certificates;
      const stub = await startStubServer(images, sent);
      await expect(connect(stub, { https: true }).listImages()).rejects.toMatchObject({
        message: `cannot connect to https://${stub.domain}: its certificate is not trusted`,
        hint: expect.stringContaining('NODE_EXTRA_CA_CERTS') as string,
      });
      expect(stub.seen).toEqual([]);
    },
  );

  it('takes any certificate when told to', async () => {
    const stub = await startStubServer(images, certificates);
    expect(await connect(stub, { https: true, verify: false }).listImages()).toHaveLength(1);
  });
});
