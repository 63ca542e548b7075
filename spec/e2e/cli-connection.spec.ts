import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { VERSION } from './support/api.ts';
import { getApiCertificate } from './support/certificate.ts';
import { Cli } from './support/cli.ts';
import type { Outcome } from './support/command.ts';
import { DEVELOPER, getInstallation, UPLOAD_USER } from './support/installation.ts';
import { ANONYMISE } from './support/source.ts';
import { upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

const server = useServer();

/** A server that answers when the test says so. */
async function startSlowServer() {
  const asked = Promise.withResolvers<IncomingMessage>();
  const waiting: ServerResponse[] = [];
  const server = createServer((incoming, response) => {
    // What the command line asks for after a failure, to find out what is spoken there.
    if (incoming.url === '/health_check') {
      response.end();
      return;
    }
    waiting.push(response);
    asked.resolve(incoming);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    domain: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: asked.promise,
    answer: (body: object) => {
      for (const response of waiting.splice(0)) {
        response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
      }
    },
  };
}

/** A proxy in front of the server that waits `patienceMs` for an answer, as nginx does; resolves to its address. */
async function startImpatientProxy(patienceMs: number): Promise<string> {
  const proxy = createServer((incoming, response) => {
    const { method, url: path, headers } = incoming;
    const target = { host: '127.0.0.1', port: getInstallation().httpPort };
    const onward = request({ ...target, method, path, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    const refuse = (status: number) => () => {
      onward.destroy();
      if (!response.headersSent) response.writeHead(status, { 'Content-Type': 'text/html' }).end('<html>');
    };
    onward.setTimeout(patienceMs, refuse(504));
    onward.on('error', refuse(502));
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

const IMAGE = {
  type: 'images',
  id: '7',
  attributes: {
    backed_up_at: '2017-05-01T12:00:00Z',
    created_at: '2017-05-01T12:00:00Z',
    ready: true,
    updated_at: '2017-05-01T12:00:00Z',
  },
};

describe('a request', () => {
  it('goes over plain HTTP with --insecure, with version and token', async () => {
    const slow = await startSlowServer();
    const cli = await Cli.create('developer');
    await cli.run(['config', 'set', 'domain', slow.domain]);
    const running = cli.start(['images', 'list', '--insecure']);
    const { headers, method, url } = await slow.asked;
    expect({ method, url, headers }).toMatchObject({
      method: 'GET',
      url: '/images',
      headers: { authorization: `Bearer ${DEVELOPER}`, 'draupnir-version': VERSION },
    });
    slow.answer({ data: [IMAGE] });
    expect((await running.outcome).stdout).toBe(' 7 [ 2017-05-01T12:00:00Z - READY:  true ]\n');
    // And not without the flag.
    expect(await cli.run(['images', 'list'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('it does not speak TLS there\nhint: --insecure') as unknown,
    });
  });
});

describe('a finalisation', () => {
  const fields = (id: number): string => `/images/${id}?fields[images]=status,progress`;

  /** A bot behind a proxy that ends every request that takes long. */
  async function createBot(): Promise<Cli> {
    const cli = await Cli.create('upload');
    await cli.run(['config', 'set', 'domain', await startImpatientProxy(1000)]);
    return cli;
  }

  it('survives the time-out of a proxy and a restart of the server', async () => {
    const cli = await createBot();
    const { id, backedUpAt } = await server.api.createImage(`SELECT pg_sleep(2);\n${ANONYMISE}`);
    await upload(id, inject('e2e').backup);
    const finalised = cli.start(['--insecure', 'images', 'finalise', String(id)]);
    await waitUntil('the script runs', async () => {
      const { json } = await server.api.send('GET', fields(id), { as: 'upload' });
      const { progress } = (json as { data: { attributes: { progress: { step: string } | null } } }).data
        .attributes;
      return progress?.step === 'anonymise';
    });
    expect(await server.process.stop()).toBe(0);
    await server.start();
    const line = `${String(id).padStart(2)} [ ${backedUpAt} - READY:  true ]\n`;
    expect(await finalised.outcome).toEqual({ exitCode: 0, stdout: line, stderr: '' });
    await server.api.destroyImage(id);
  });

  it('fails with the reason of the server, also behind a proxy', async () => {
    const cli = await createBot();
    const { id } = await server.api.createImage('SELECT pg_sleep(2);\nSELECT 1/0;');
    await upload(id, inject('e2e').backup);
    const waiting = server.api.finaliseImage(id);
    const failed = await cli.run(['--insecure', 'images', 'finalise', String(id)]);
    const { title, detail } = (await waiting).json as { title: string; detail: string };
    expect(failed).toEqual({ exitCode: 1, stdout: '', stderr: `error: ${title} (${detail})\n` });
    expect(title).toBe('Finalise Failed');
    await server.api.destroyImage(id);
  });
});

describe('the certificate of the server', () => {
  const list = (cli: Cli, env: Record<string, string>): Promise<Outcome> =>
    cli.run(['images', 'list'], { env: { NODE_EXTRA_CA_CERTS: '', ...env } });
  const getCertificate = (): string => getApiCertificate(getInstallation()).certificate;

  it.each(['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE'])(
    'is trusted when %s names its authority',
    async (name) => {
      const cli = await Cli.create('developer');
      expect((await list(cli, {})).stderr).toContain('its certificate is not trusted\nhint: ');
      const outcome = await list(cli, { [name]: getCertificate() });
      expect(outcome).toMatchObject({ exitCode: 0, stderr: '' });
      expect(outcome.stdout).toContain('READY:  true');
    },
  );

  it("is trusted when its authority was added to Debian's store", async () => {
    const cli = await Cli.create('developer');
    // In a mount namespace of its own, so that the host trusts nobody new.
    const script = `set -Eeuo pipefail
mount -t tmpfs none /usr/local/share/ca-certificates
cp "$1" /usr/local/share/ca-certificates/draupnir-test.crt
mount -t tmpfs none /etc/ssl/certs
update-ca-certificates >/dev/null
exec setpriv --reuid="$2" --regid="$2" --init-groups -- "$3" images list`;
    const argv = ['unshare', '--mount', '--propagation', 'private', 'bash', '-c', script, 'bash'];
    const args = [getCertificate(), UPLOAD_USER, getInstallation().program];
    const env = { NODE_EXTRA_CA_CERTS: '' };
    const outcome = await cli.execute([...argv, ...args], { user: 'root', env });
    expect(outcome).toMatchObject({ exitCode: 0 });
    expect(outcome.stdout).toContain('READY:  true');
    expect((await list(cli, {})).exitCode).toBe(1);
  });

  it('does not matter with --skip-verify, but plain HTTP is still refused', async () => {
    const cli = await Cli.create('developer');
    const env = { NODE_EXTRA_CA_CERTS: '' };
    expect(await cli.run(['images', 'list', '--skip-verify'], { env })).toMatchObject({
      exitCode: 0,
      stderr: '',
    });
    await cli.run(['config', 'set', 'domain', `localhost:${getInstallation().httpPort}`]);
    expect(await cli.run(['--skip-verify', 'images', 'list'], { env })).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('it does not speak TLS there') as unknown,
    });
  });
});
