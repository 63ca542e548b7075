import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { VERSION } from './support/api.ts';
import { getApiCertificate } from './support/certificate.ts';
import { Cli } from './support/cli.ts';
import type { Outcome } from './support/command.ts';
import { DEVELOPER, getInstallation, UPLOAD_USER } from './support/installation.ts';
import { useServer } from './support/use-server.ts';

useServer();

/** A server that answers when the test says so. */
async function startSlowServer() {
  const asked = Promise.withResolvers<IncomingMessage>();
  const waiting: ServerResponse[] = [];
  const server = createServer((request, response) => {
    waiting.push(response);
    asked.resolve(request);
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
