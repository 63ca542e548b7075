import { describe, expect, it, vi } from 'vitest';
import { imageResource, instanceDocument } from '../../support/cli/resources.ts';
import { createUser, type TestUser } from '../../support/cli/run-command-line.ts';
import { startStubServer } from '../../support/cli/stub-server.ts';

vi.setConfig({ testTimeout: 30_000 });

/** A user at a server that does not answer what would change something; and the moment when it is asked. */
async function createWaitingUser(): Promise<{ user: TestUser; asked: Promise<unknown> }> {
  const { promise, resolve } = Promise.withResolvers();
  const wait = (): void => resolve(undefined);
  const stub = await startStubServer({
    'GET /images': { status: 200, body: { data: [imageResource(1)] } },
    'POST /images': wait,
    'POST /instances': wait,
    'POST /instances/4/credentials': wait,
    'DELETE /instances/4': wait,
    'DELETE /images/3': wait,
  });
  return { user: createUser(stub), asked: promise };
}

describe('an interrupted command', () => {
  it.each([
    [
      'new',
      'false\n',
      'may have created an instance',
      'instances list shows it, draupnir instances destroy ID',
    ],
    ['instances create', '', 'may have created an instance', 'draupnir instances list shows it'],
    ['instances rotate 4', '', 'may have been replaced', 'draupnir env 4'],
    ['instances destroy 4', '', 'may go on to destroy instance 4', 'draupnir instances list'],
    ['images create 2017-05-01T12:00:00Z -', '', 'may have created the image', 'draupnir images destroy ID'],
    ['images destroy 3', '', 'may go on to destroy image 3', 'draupnir images list'],
  ])('says what may have happened: %s', async (command, printed, text, hint) => {
    const { user, asked } = await createWaitingUser();
    const { child, outcome } = user.start(['--insecure', ...command.split(' ')]);
    child.stdin?.end('SELECT 1;');
    await asked;
    child.kill('SIGINT');
    const { code, stdout, stderr } = await outcome;
    expect({ code, stdout }).toEqual({ code: 130, stdout: printed });
    expect(stderr).toMatch(/^warning: interrupted: .*\nhint: .*\n$/);
    expect(stderr).toContain(text);
    expect(stderr).toContain(hint);
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('is one that got %s, too', async (signal, code) => {
    const { user, asked } = await createWaitingUser();
    const { child, outcome } = user.start(['--insecure', 'new']);
    await asked;
    child.kill(signal);
    expect(await outcome).toMatchObject({ code, stdout: 'false\n' });
  });

  it('says nothing of instances before one was asked for', async () => {
    const { promise: asked, resolve } = Promise.withResolvers();
    const user = createUser(await startStubServer({ 'GET /images': () => resolve(undefined) }));
    const { child, outcome } = user.start(['--insecure', 'new']);
    await asked;
    child.kill('SIGINT');
    expect(await outcome).toEqual({ code: 130, stdout: 'false\n', stderr: '' });
  });

  it('on a terminal leaves the line of the spinner and shows the cursor', async () => {
    const { user, asked } = await createWaitingUser();
    const { child, outcome } = user.startOnTerminal('$draupnir --insecure instances create');
    await asked;
    // Ctrl-C
    child.stdin?.write('\u0003');
    const { code, stdout } = await outcome;
    expect(code).toBe(130);
    expect(stdout).toContain('creating the instance');
    expect(stdout.lastIndexOf('\u001b[?25h')).toBeGreaterThan(stdout.lastIndexOf('\u001b[?25l'));
    expect(stdout).toContain(
      '\u001b[33mwarning:\u001b[39m interrupted: the server may have created an instance',
    );
  });
});

describe('stdout', () => {
  const fill = async (command: string, shell = `$draupnir --insecure ${command} >/dev/full`) => {
    const data = [imageResource(1), imageResource(2)];
    const user = createUser(await startStubServer({ 'GET /images': { status: 200, body: { data } } }));
    return await user.runShell('bash', `set -o pipefail; ${shell}`);
  };

  it.each(['images list', 'help', '--version', 'config show', 'images --help'])(
    'that is full is one line on stderr: %s',
    async (command) => {
      expect(await fill(command)).toEqual({
        code: 1,
        stdout: '',
        stderr: 'error: cannot write stdout: no space left on the device\n',
      });
    },
  );

  it('that is full names what was created', async () => {
    const created = { status: 201, body: instanceDocument(4) };
    const images = { status: 200, body: { data: [imageResource(1)] } };
    const user = createUser(await startStubServer({ 'GET /images': images, 'POST /instances': created }));
    const { code, stderr } = await user.runShell('bash', '$draupnir --insecure instances create >/dev/full');
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'error: cannot write stdout: no space left on the device (created instance 4)\n',
    });
  });

  it('without a reader is a failure', async () => {
    expect(await fill('', '$draupnir --insecure images list | true')).toMatchObject({
      code: 1,
      stderr: 'error: cannot write stdout: its reader has gone\n',
    });
  });

  it('is not missed when stderr is full', async () => {
    expect(await fill('', '$draupnir --insecure images list 2>/dev/full')).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(await fill('', '$draupnir bogus 2>/dev/full')).toEqual({ code: 64, stdout: '', stderr: '' });
  });
});
