import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeApiCertificate } from './support/certificate.ts';
import { getInstallation } from './support/installation.ts';
import { type LogLine, Server } from './support/server.ts';
import { writeServerConfig } from './support/server-config.ts';

const { scratch, httpsPort } = getInstallation();
const files = { certificate: join(scratch, 'reloaded.crt'), key: join(scratch, 'reloaded.key') };
/** One connection that stays open between requests. */
const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
let server: Server;

beforeAll(async () => {
  await writeApiCertificate(files);
  const config = await writeServerConfig(getInstallation(), 'reload.toml');
  const toml = (await readFile(config, 'utf8'))
    .replace(/^tls_certificate = .*$/m, `tls_certificate = "${files.certificate}"`)
    .replace(/^tls_private_key = .*$/m, `tls_private_key = "${files.key}"`);
  await writeFile(config, toml);
  server = await Server.start(getInstallation(), config);
});
afterAll(async () => {
  agent.destroy();
  expect(await server.stop()).toBe(0);
});

/** The fingerprint of the certificate that a new connection is given. */
async function getServedFingerprint(): Promise<string> {
  const socket = connect({ port: httpsPort, host: '127.0.0.1', rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().fingerprint256;
  } finally {
    socket.destroy();
  }
}

/** Asks over the open connection; resolves to the port of our end of it and the answer. */
async function ask(): Promise<{ localPort: number | undefined; answer: string }> {
  const asked = request({ port: httpsPort, host: '127.0.0.1', path: '/health_check', agent }).end();
  const [response] = (await once(asked, 'response')) as [NodeJS.ReadableStream & { socket: TLSSocket }];
  const { localPort } = response.socket;
  return { localPort, answer: await text(response) };
}

/** Sends SIGHUP; resolves to the line that says what came of it. */
async function reload(): Promise<LogLine | undefined> {
  const isOutcome = ({ msg }: LogLine): boolean => msg.includes('reloaded');
  const before = (await server.readLog()).filter(isOutcome).length;
  process.kill(server.pid, 'SIGHUP');
  return (await server.waitForLines(isOutcome, before + 1)).at(-1);
}

describe('SIGHUP', () => {
  it('gives new connections the new certificate, and closes none', async () => {
    const [before, served] = [await ask(), await getServedFingerprint()];
    await writeApiCertificate(files);
    const line = await reload();
    expect(line).toMatchObject({ level: 'info', msg: 'reloaded the certificate of the API' });
    const renewed = await getServedFingerprint();
    expect(renewed).not.toBe(served);
    expect(line?.fingerprint).toBe(renewed);
    expect(await ask()).toEqual(before);
  });

  it('keeps the certificate when the new one has another key, and takes it once that is put right', async () => {
    const [before, served] = [await ask(), await getServedFingerprint()];
    const key = await readFile(files.key);
    await writeApiCertificate(files);
    const renewedKey = await readFile(files.key);
    await writeFile(files.key, key);
    expect(await reload()).toMatchObject({
      level: 'error',
      msg: 'certificate not reloaded: the earlier one stays in use',
      problems: [expect.stringContaining('http.tls_private_key: must be the key of the certificate')],
    });
    expect(await getServedFingerprint()).toBe(served);
    await writeFile(files.key, renewedKey);
    expect((await reload())?.level).toBe('info');
    expect(await getServedFingerprint()).not.toBe(served);
    expect(await ask()).toEqual(before);
  });
});
