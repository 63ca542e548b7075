import type { Socket } from 'node:net';
import { createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../support/cli/client.ts';
import { imageResource } from '../../support/cli/resources.ts';
import { startStubServer } from '../../support/cli/stub-server.ts';
import { startTcpServer } from '../../support/cli/tcp-server.ts';
import { createTestCertificates, type TestCertificates } from '../../support/cli/test-certificates.ts';

const IMAGES = { 'GET /images': { status: 200, body: { data: [imageResource(1)] } } };
const DOMAIN_HINT = 'check the server: draupnir config show';

let certificates: TestCertificates;
beforeAll(() => {
  certificates = createTestCertificates();
});

/** A server that sends a line to every client, as SSH and mail servers do. */
const greet = (socket: Socket): void => void socket.write('SSH-2.0-OpenSSH_9.2\r\n');

describe('HTTPS at a port of', () => {
  it('plain HTTP is named', async () => {
    const stub = await startStubServer(IMAGES);
    await expect(createClient(stub.domain, { https: true }).listImages()).rejects.toMatchObject({
      message: `cannot connect to https://${stub.domain}: it does not speak TLS there`,
      hint: '--insecure talks plain HTTP',
    });
    for (const { headers } of stub.seen) expect(headers).not.toHaveProperty('authorization');
  });

  it('something else is named', async () => {
    const domain = await startTcpServer(greet);
    await expect(createClient(domain, { https: true }).listImages()).rejects.toMatchObject({
      message: `cannot connect to https://${domain}: it speaks neither TLS nor HTTP there`,
      hint: DOMAIN_HINT,
    });
  });

  it('a server that hangs up is named, and that nothing was done is clear', async () => {
    const domain = await startTcpServer((socket) => socket.once('data', () => socket.destroy()));
    const client = createClient(domain, { https: true });
    await expect(client.destroyInstance(4)).rejects.toMatchObject({
      message: `cannot connect to https://${domain}: it ended the connection during the TLS handshake`,
      hint: DOMAIN_HINT,
    });
  });

  it('another protocol over TLS is named', async () => {
    const server = createServer({ cert: certificates.certificate, key: certificates.key }, (socket) => {
      socket.on('error', () => undefined);
      socket.end('220 mail.example.com ESMTP\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    onTestFinished(() => void server.close());
    const domain = `localhost:${(server.address() as AddressInfo).port}`;
    await expect(createClient(domain, { https: true, verify: false }).listImages()).rejects.toMatchObject({
      message: `cannot connect to https://${domain}: it does not speak HTTP there`,
      hint: DOMAIN_HINT,
    });
  });
});

describe('plain HTTP at a port of', () => {
  it.each(['listImages', 'destroyInstance'] as const)('TLS is named (%s)', async (call) => {
    const stub = await startStubServer(IMAGES, certificates);
    await expect(createClient(stub.domain)[call](4)).rejects.toMatchObject({
      message: `cannot connect to http://${stub.domain}: it speaks TLS there`,
      hint: 'leave out --insecure',
      sent: false,
    });
    expect(stub.seen).toEqual([]);
  });

  it('TLS that answers with a page, as nginx does, is named', async () => {
    // By the first byte: a handshake record (RFC 8446, section 5.1), or a method.
    const secure = await startStubServer(IMAGES, certificates);
    const [, port = ''] = secure.domain.split(':');
    const { connect } = await import('node:net');
    const domain = await startTcpServer((socket) => {
      socket.once('data', (first: Buffer) => {
        if (first[0] !== 0x16) {
          socket.end('HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno');
          return;
        }
        const onward = connect(Number(port), 'localhost');
        onward.on('error', () => undefined).write(first);
        socket.pipe(onward).pipe(socket);
      });
    });
    await expect(createClient(domain).destroyInstance(4)).rejects.toMatchObject({
      message: `cannot connect to http://${domain}: it speaks TLS there`,
      hint: 'leave out --insecure',
    });
  });

  it('something else is named', async () => {
    const domain = await startTcpServer(greet);
    await expect(createClient(domain).listImages()).rejects.toMatchObject({
      message: `cannot connect to http://${domain}: it does not speak HTTP there`,
      hint: DOMAIN_HINT,
    });
  });

  it('a server that goes away is reported, with a word about what may have been done', async () => {
    const domain = await startTcpServer((socket) => socket.once('data', () => socket.destroy()));
    const message = `http://${domain} ended the connection without a complete answer`;
    await expect(createClient(domain).listImages()).rejects.toMatchObject({
      message,
      hint: 'check the server, then try again',
    });
    await expect(createClient(domain).destroyInstance(4)).rejects.toMatchObject({
      message,
      hint: expect.stringContaining('the work may have been done') as string,
      sent: true,
    });
  });

  it.each([
    ['a page of a network', 200, "a proxy or the network's sign-in page"],
    ['a page of a proxy', 400, "a proxy or the network's sign-in page"],
  ])('%s is named', async (_what, status, between) => {
    const page = { status, type: 'text/html; charset=utf-8', body: '<html>Welcome to the hotel' };
    const stub = await startStubServer({ 'GET /images': page });
    await expect(createClient(stub.domain).listImages()).rejects.toMatchObject({
      message: `http://${stub.domain} answered ${status} with text/html, which is no answer of a Draupnir server`,
      hint: `check the server (draupnir config show), and whether ${between} is in between`,
    });
  });
});
