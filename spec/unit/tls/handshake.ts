import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { KeyPair } from '../../../src/tls/certificate-chain.ts';

/**
 * Shakes hands as an instance and its user do, both sides showing a certificate. Returns how it ended for each side: for
 * the server the common name of its client, for the client `connected`, or else the code of the error.
 */
export async function shakeHands(
  server: { ca: string; pair: KeyPair },
  client: { ca: string; pair?: KeyPair; servername: string },
): Promise<{ server: string; client: string }> {
  const listener = createServer({
    ca: server.ca,
    cert: server.pair.certificate,
    key: server.pair.key,
    requestCert: true,
    // Node refuses by hanging up, without a reason; asked like this it says why.
    rejectUnauthorized: false,
  });
  const atServer = new Promise<string>((resolve) => {
    listener.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => socket.destroy());
      if (socket.authorized) resolve(String(socket.getPeerCertificate().subject.CN));
      else resolve(String(socket.authorizationError));
      socket.end();
    });
    listener.on('tlsClientError', (error) => resolve(getCode(error)));
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');

  const socket = connect({
    host: '127.0.0.1',
    port: (listener.address() as AddressInfo).port,
    servername: client.servername,
    ca: client.ca,
    ...(client.pair && { cert: client.pair.certificate, key: client.pair.key }),
  });
  const atClient = new Promise<string>((resolve) => {
    socket.on('secureConnect', () => resolve('connected'));
    socket.on('error', (error) => resolve(getCode(error)));
  });
  try {
    return { server: await atServer, client: await atClient };
  } finally {
    socket.destroy();
    listener.close();
  }
}

function getCode(error: Error): string {
  return 'code' in error ? String(error.code) : error.message;
}
