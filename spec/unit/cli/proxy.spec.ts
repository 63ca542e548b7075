import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { findProxy } from '../../../src/cli/proxy.ts';
import { createClient, TOKEN } from '../../support/cli/client.ts';
import { imageResource } from '../../support/cli/resources.ts';
import { startProxy } from '../../support/cli/stub-proxy.ts';
import { startStubServer } from '../../support/cli/stub-server.ts';
import { startTcpServer } from '../../support/cli/tcp-server.ts';
import { createTestCertificates, type TestCertificates } from '../../support/cli/test-certificates.ts';

const IMAGES = { 'GET /images': { status: 200, body: { data: [imageResource(1)] } } };
const HTTPS = new URL('https://draupnir.example.com');
const HTTP = new URL('http://draupnir.example.com');

let certificates: TestCertificates;
beforeAll(() => {
  certificates = createTestCertificates();
});

describe('the proxy of the environment', () => {
  it.each([
    [HTTPS, { HTTPS_PROXY: 'http://proxy:3128' }, 'http://proxy:3128'],
    [HTTPS, { https_proxy: 'http://proxy:3128' }, 'http://proxy:3128'],
    [HTTPS, { https_proxy: 'http://lower:1', HTTPS_PROXY: 'http://upper:1' }, 'http://lower:1'],
    [HTTPS, { https_proxy: '', HTTPS_PROXY: 'http://upper:1' }, 'http://upper:1'],
    [HTTPS, { HTTPS_PROXY: 'https://proxy' }, 'https://proxy'],
    [HTTPS, { HTTPS_PROXY: 'proxy:3128' }, 'http://proxy:3128'],
    [HTTPS, { HTTPS_PROXY: 'http://ada:p%40ss@[::1]:3128/' }, 'http://[::1]:3128'],
    [HTTP, { HTTP_PROXY: 'http://proxy:3128' }, 'http://proxy:3128'],
    [HTTP, { http_proxy: 'http://proxy:3128' }, 'http://proxy:3128'],
    [HTTPS, { HTTP_PROXY: 'http://proxy:3128' }, undefined],
    [HTTP, { HTTPS_PROXY: 'http://proxy:3128' }, undefined],
    [HTTPS, {}, undefined],
    [HTTPS, { HTTPS_PROXY: 'http://proxy:1', NO_PROXY: 'example.com' }, undefined],
    [HTTPS, { HTTPS_PROXY: 'http://proxy:1', no_proxy: 'example.com', NO_PROXY: '' }, undefined],
    [HTTPS, { HTTPS_PROXY: 'http://proxy:1', no_proxy: 'other.example', NO_PROXY: '*' }, 'http://proxy:1'],
  ])('of %s with %j is %s', (server, env, name) => {
    expect(findProxy(server, env)?.name).toBe(name);
  });

  it.each([
    ['http://', 'HTTPS_PROXY is not the URL of a proxy'],
    ['http://ada:100%@proxy:3128', 'HTTPS_PROXY is not the URL of a proxy'],
    ['http://ada:secret@proxy:99999', 'HTTPS_PROXY is not the URL of a proxy'],
    ['socks5://ada:secret@proxy:1080', 'HTTPS_PROXY names a proxy of type socks5'],
  ])('is refused when it cannot be used, without repeating it: %s', (value, message) => {
    const find = () => findProxy(HTTPS, { HTTPS_PROXY: value });
    expect(find).toThrow(message);
    expect(find).not.toThrow(/ada|secret/);
  });
});

describe('a request through a proxy', () => {
  it('goes through a tunnel over TLS, which hides the token from the proxy', async () => {
    const stub = await startStubServer(IMAGES, certificates);
    const proxy = await startProxy();
    const env = { HTTPS_PROXY: `http://ada:p%40ss@${proxy.host}` };
    const client = createClient(stub.domain, { https: true, verify: false, env });
    expect(await client.listImages()).toHaveLength(1);
    expect(proxy.seen).toEqual([
      { line: `CONNECT ${stub.domain}`, authorization: `Basic ${btoa('ada:p@ss')}` },
    ]);
    expect(stub.seen[0]?.headers).toMatchObject({ authorization: `Bearer ${TOKEN}` });
    expect(stub.seen[0]?.headers).not.toHaveProperty('proxy-authorization');
  });

  it('still requires a certificate of the server that can be trusted', async () => {
    const stub = await startStubServer(IMAGES, certificates);
    const env = { HTTPS_PROXY: (await startProxy()).host };
    await expect(createClient(stub.domain, { https: true, env }).listImages()).rejects.toThrow(
      `cannot connect to https://${stub.domain}: its certificate is not trusted`,
    );
    expect(stub.seen).toEqual([]);
  });

  it('is handed to the proxy over plain HTTP', async () => {
    const stub = await startStubServer(IMAGES);
    const proxy = await startProxy();
    const client = createClient(stub.domain, { env: { http_proxy: `http://ada:pass@${proxy.host}` } });
    expect(await client.listImages()).toHaveLength(1);
    expect(proxy.seen).toEqual([
      { line: `GET http://${stub.domain}/images`, authorization: `Basic ${btoa('ada:pass')}` },
    ]);
  });

  it('goes past the proxy to a host that NO_PROXY names, and to no other', async () => {
    const stub = await startStubServer(IMAGES);
    const proxy = await startProxy();
    const env = { HTTP_PROXY: proxy.host };
    await createClient(stub.domain, { env: { ...env, NO_PROXY: 'localhost' } }).listImages();
    expect(proxy.seen).toEqual([]);
    await createClient(stub.domain, { env: { ...env, NO_PROXY: 'example.com' } }).listImages();
    expect(proxy.seen).toHaveLength(1);
  });
});

describe.each(['http', 'https'] as const)('a proxy that refuses (%s)', (scheme) => {
  const https = scheme === 'https';
  const variable = https ? 'HTTPS_PROXY' : 'HTTP_PROXY';

  /** Sends a request through a proxy; the failure. */
  async function fail(
    proxy: string,
    limits = {},
  ): Promise<{ message: string; hint: string; server: string }> {
    const server = `${scheme}://draupnir.invalid`;
    const client = createClient('draupnir.invalid', { https, env: { [variable]: proxy }, limits });
    const error: unknown = await client.listImages().catch((failure: unknown) => failure);
    return { ...(error as { message: string; hint: string }), message: (error as Error).message, server };
  }

  it('for want of a password is named', async () => {
    const { host } = await startProxy({ denial: 407 });
    const { message, hint, server } = await fail(`http://${host}`);
    expect(message).toBe(
      `cannot connect to ${server}: the proxy http://${host} requires a user name and a password (407)`,
    );
    expect(hint).toBe(
      `${variable}=http://USER:PASSWORD@${host}, or exempt the server: NO_PROXY=draupnir.invalid`,
    );
  });

  it('for a wrong password is named, without the password', async () => {
    const { host } = await startProxy({ denial: 407 });
    const { message, hint, server } = await fail(`http://ada:s3cret@${host}`);
    expect(message).toBe(
      `cannot connect to ${server}: the proxy http://${host} rejects the user name or the password (407)`,
    );
    expect(message + hint).not.toMatch(/s3cret|ada/);
  });

  it('in general is named', async () => {
    const { host } = await startProxy({ denial: 403 });
    const { message, hint } = await fail(`http://${host}`);
    expect(message + hint).toContain(`http://${host}`);
    expect(message).toContain('403');
  });

  it('to be reached is named', async () => {
    const closed = createServer().listen(0, 'localhost');
    await new Promise((resolve) => closed.once('listening', resolve));
    const host = `localhost:${(closed.address() as AddressInfo).port}`;
    await new Promise((resolve) => closed.close(resolve));
    const { message, hint, server } = await fail(host);
    expect(message).toBe(`cannot connect to ${server}: the proxy http://${host}: connection refused`);
    expect(hint).toBe(`check ${variable}, or exempt the server: NO_PROXY=draupnir.invalid`);
  });

  it('to say anything is named or waited for no longer than a server', async () => {
    const host = await startTcpServer(() => undefined);
    const { message, server } = await fail(`http://${host}`, { connectMs: 300, silenceMs: 300 });
    expect(message).toMatch(
      https
        ? new RegExp(`^cannot connect to ${server}: the proxy http://${host}`)
        : /has not answered for 0.3 s$/,
    );
  });
});

describe('a proxy over plain HTTP that cannot reach the server', () => {
  it.each([502, 504])('is named with its status: %d', async (denial) => {
    const { host } = await startProxy({ denial });
    const client = createClient('draupnir.invalid', { https: true, env: { HTTPS_PROXY: host } });
    await expect(client.listImages()).rejects.toThrow(
      `the proxy http://${host} cannot connect to draupnir.invalid (${denial})`,
    );
  });

  it('or is no proxy at all is named', async () => {
    const host = await startTcpServer((socket) => socket.end('220 mail.example.com ESMTP\r\n\r\n'));
    const client = createClient('draupnir.invalid', { https: true, env: { HTTPS_PROXY: host } });
    await expect(client.listImages()).rejects.toThrow(`the proxy http://${host} gave no answer of a proxy`);
  });
});
