import { beforeAll, describe, expect, it } from 'vitest';
import { createClient, TOKEN } from '../../support/cli/client.ts';
import { imageResource } from '../../support/cli/resources.ts';
import { type StubAnswer, startStubServer } from '../../support/cli/stub-server.ts';
import { createTestCertificates, type TestCertificates } from '../../support/cli/test-certificates.ts';

const IMAGES = { status: 200, body: { data: [imageResource(1)] } };
const redirect = (status: number, Location: string): StubAnswer => ({
  status,
  type: 'text/html',
  body: '',
  headers: { Location },
});
const GET_STATUSES = [301, 302, 303, 307, 308];

let certificates: TestCertificates;
beforeAll(() => {
  certificates = createTestCertificates();
});

describe('a redirect on the same host', () => {
  it.each(GET_STATUSES)('of GET with %d is followed, with the token', async (status) => {
    const stub = await startStubServer({
      'GET /images': redirect(status, '/moved/images?a=b'),
      'GET /moved/images?a=b': IMAGES,
    });
    expect(await createClient(stub.domain).listImages()).toHaveLength(1);
    expect(stub.seen[1]?.headers).toMatchObject({ authorization: `Bearer ${TOKEN}` });
  });

  it.each([307, 308])('of POST with %d is followed, with the body', async (status) => {
    const stub = await startStubServer({
      'POST /images': redirect(status, '/v2/images'),
      'POST /v2/images': { status: 201, body: { data: imageResource(1) } },
    });
    expect(await createClient(stub.domain).createImage('2017-05-01T12:00:00Z', 'SELECT 1')).toMatchObject({
      id: 1,
    });
    expect(stub.seen[1]?.body).toBe(stub.seen[0]?.body);
    expect(stub.seen[1]?.body).toContain('SELECT 1');
  });

  it.each([301, 302, 303])('of POST or DELETE with %d is named instead', async (status) => {
    const stub = await startStubServer({
      'POST /images': redirect(status, '/v2/images'),
      'DELETE /images/1': redirect(status, '/v2/images/1'),
    });
    const client = createClient(stub.domain);
    await expect(client.createImage('2017-05-01T12:00:00Z', '')).rejects.toMatchObject({
      message: expect.stringContaining(`redirecting to http://${stub.domain}/v2/images,`) as string,
      hint: `POST is not repeated there, since ${status} may change it`,
    });
    await expect(client.destroyImage(1)).rejects.toThrow('/v2/images/1');
    expect(stub.seen).toHaveLength(2);
  });

  it('from HTTP to HTTPS is followed', async () => {
    const secure = await startStubServer({ 'GET /images': IMAGES }, certificates);
    const plain = await startStubServer({ 'GET /images': redirect(301, `https://${secure.domain}/images`) });
    expect(await createClient(plain.domain, { verify: false }).listImages()).toHaveLength(1);
    // As carefully as by HTTPS at once.
    await expect(createClient(plain.domain).listImages()).rejects.toThrow('its certificate is not trusted');
    expect(secure.seen).toHaveLength(1);
  });

  it('is followed five times at most', async () => {
    const stub = await startStubServer({ 'GET /images': redirect(302, '/images') });
    await expect(createClient(stub.domain).listImages()).rejects.toMatchObject({
      message: expect.stringContaining(`redirecting to http://${stub.domain}/images`) as string,
      hint: 'it redirects more than 5 times',
    });
    expect(stub.seen).toHaveLength(6);
  });
});

describe('a redirect to another target', () => {
  it.each(GET_STATUSES)('is named and gets nothing, with %d', async (status) => {
    const other = await startStubServer({ 'GET /images': IMAGES });
    const [, port = ''] = other.domain.split(':');
    for (const target of [`127.0.0.1:${port}`, other.domain]) {
      const stub = await startStubServer({
        'GET /images': redirect(status, `http://ada:pass@${target}/images?token=x#y`),
      });
      await expect(createClient(stub.domain).listImages()).rejects.toMatchObject({
        message:
          `http://${stub.domain} answered ${status} with text/html, redirecting to http://${target}/images, ` +
          'which is no answer of a Draupnir server',
        hint: `nothing was sent there; if that is the server: draupnir config set domain ${target}`,
      });
    }
    expect(other.seen).toEqual([]);
  });

  it('that is not encrypted is named and gets nothing', async () => {
    const plain = await startStubServer({ 'GET /images': IMAGES });
    const secure = await startStubServer(
      { 'GET /images': redirect(302, `http://${plain.domain}/images`) },
      certificates,
    );
    const client = createClient(secure.domain, { https: true, verify: false });
    await expect(client.listImages()).rejects.toMatchObject({
      message: expect.stringContaining(`redirecting to http://${plain.domain}/images,`) as string,
      hint: 'nothing was sent there, since it is not encrypted',
    });
    expect(plain.seen).toEqual([]);
  });

  it.each(['ftp://localhost/images', 'javascript:alert(1)', 'data:application/json,{"data":[]}'])(
    'that is no web server is named: %s',
    async (location) => {
      const stub = await startStubServer({ 'GET /images': redirect(302, location) });
      await expect(createClient(stub.domain).listImages()).rejects.toMatchObject({
        hint: 'only HTTP and HTTPS can be followed',
      });
    },
  );

  it.each(['http://[', ''])('that is no address is an answer like any other: %j', async (location) => {
    const stub = await startStubServer({ 'GET /images': redirect(location === '' ? 304 : 302, location) });
    await expect(createClient(stub.domain).listImages()).rejects.toThrow(
      'which is no answer of a Draupnir server',
    );
  });
});
