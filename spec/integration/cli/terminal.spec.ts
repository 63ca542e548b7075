import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { describeInstances } from '../../../src/cli/confirm-destruction.ts';
import { imageResource, instanceResource } from '../../support/cli/resources.ts';
import { createUser, TestUser } from '../../support/cli/run-command-line.ts';
import { apiError, type StubAnswer, startStubServer } from '../../support/cli/stub-server.ts';

vi.setConfig({ testTimeout: 30_000 });

const IMAGES = '/images?fields[images]=backed_up_at,updated_at,ready,status,failure,progress';
const INSTANCES = '/instances?fields[instances]=hostname,image_id,port,created_at,status,failure';
const OWNERS = '/images/3?fields[images]=instances';

const ok = (data: unknown): StubAnswer => ({ status: 200, body: { data } });

/** What a command shows on a terminal, without cursor movements. `typed` answers its question, if it asks one. */
async function show(
  user: TestUser,
  command: string,
  typed = '',
): Promise<{ code: number | null; shown: string }> {
  const { child, outcome } = user.startOnTerminal(`$draupnir --insecure ${command}`);
  let seen = '';
  child.stdout?.on('data', (chunk: string) => {
    if (seen.includes('[y/N] ')) return;
    seen += chunk;
    if (seen.includes('[y/N] ')) child.stdin?.write(typed);
  });
  const { code, stdout } = await outcome;
  // eslint-disable-next-line no-control-regex -- control characters are the point
  const shown = stdout.replaceAll('\r\n', '\n').replace(/\u001b\[[?0-9;]*[A-Za-z]/g, '');
  return { code, shown };
}

describe('config check', () => {
  it('lists what is right or left out on a terminal, and elsewhere with --verbose', async () => {
    const user = new TestUser();
    const file = join(user.home, 'config.toml');
    writeFileSync(file, '[http]\nlisten_address = ":8443"\n');
    const command = `config check --offline --config ${file}`;
    const line = `${file}: database_url: skipped: --offline\n`;
    const terminal = await show(user, command);
    expect(terminal.code).toBe(78);
    expect(terminal.shown).toContain(line);
    expect((await show(user, `${command} 2>&1 | cat`)).shown).not.toContain('skipped');
    expect((await show(user, `${command} --verbose 2>&1 | cat`)).shown).toContain(line);
  });
});

describe('a list', () => {
  it('of images is a table with status and failure on a terminal, and the frozen lines elsewhere', async () => {
    const failed = {
      ...imageResource(12, { ready: false }).attributes,
      status: 'failed',
      failure: 'no manifest',
    };
    const stub = await startStubServer({
      [`GET ${IMAGES}`]: ok([{ type: 'images', id: '12', attributes: failed }]),
      'GET /images': ok([imageResource(12, { ready: false })]),
    });
    const user = createUser(stub);
    expect(await show(user, 'images list')).toEqual({
      code: 0,
      shown: 'ID  BACKED UP             STATUS\n12  2017-05-01T12:00:00Z  failed: no manifest\n',
    });
    // Its stdout is a pipe, though a terminal looks at stderr.
    expect(await show(user, 'images list | cat')).toEqual({
      code: 0,
      shown: '12 [ 2017-05-01T12:00:00Z - READY: false ]\n',
    });
  });

  it('of instances has a table, also from a server that sends no status', async () => {
    const stub = await startStubServer({
      [`GET ${INSTANCES}`]: ok([instanceResource(4)]),
      'GET /instances': ok([instanceResource(4)]),
    });
    const user = createUser(stub);
    expect((await show(user, 'instances list')).shown).toBe(
      'ID  IMAGE   PORT  CREATED               STATUS\n 4      1  16412  2017-05-01T16:00:00Z\n',
    );
    expect((await show(user, 'instances list | cat')).shown).toBe(
      ' 4 [ PORT: 16412 - 2017-05-01T16:00:00Z ]\n',
    );
  });

  it.each([
    ['images list', 'there are no images yet; draupnir images create makes one\n'],
    ['instances list', 'you have no instances; eval "$(draupnir new)" creates one\n'],
  ])('that is empty is reported on stderr: %s', async (command, notice) => {
    const none = ok([]);
    const stub = await startStubServer({
      'GET /images': none,
      'GET /instances': none,
      [`GET ${IMAGES}`]: none,
      [`GET ${INSTANCES}`]: none,
    });
    const user = createUser(stub);
    const outcome = await user.run(['--insecure', ...command.split(' ')]);
    expect(outcome).toEqual({ code: 0, stdout: '', stderr: notice });
    expect((await show(user, command)).shown).toBe(notice);
  });
});

describe('draupnir images destroy', () => {
  const owned = [
    { id: '4', owner: 'ada@example.com' },
    { id: '5', owner: 'bob@example.com' },
    { id: '6', owner: 'bob@example.com' },
  ];
  const serve = async (instances: object) => {
    const stub = await startStubServer({
      [`GET ${OWNERS}`]: ok({ type: 'images', id: '3', attributes: instances }),
      'DELETE /images/3': { status: 204 },
    });
    return {
      user: createUser(stub),
      stub,
      destroyed: () => stub.seen.some(({ line }) => line.startsWith('DELETE')),
    };
  };

  it.each(['y\n', 'YES\n'])(
    'destroys when the answer is %j, and has shown owners and count',
    async (answer) => {
      const { user, destroyed } = await serve({ instances: owned });
      const { code, shown } = await show(user, 'images destroy 3', answer);
      expect(shown).toContain(
        'destroying image 3 also destroys 3 instances:\n  bob@example.com: 2\n  ada@example.com: 1\n' +
          'destroy image 3 and 3 instances? [y/N] ',
      );
      expect(shown).toMatch(/destroyed image 3\n$/);
      expect(code).toBe(0);
      expect(destroyed()).toBe(true);
    },
  );

  // Ctrl-D is the end of the input.
  it.each(['\n', 'n\n', 'yesterday\n', '\u0004'])(
    'destroys nothing when the answer is %j',
    async (answer) => {
      const { user, destroyed } = await serve({ instances: owned });
      const { code, shown } = await show(user, 'images destroy 3', answer);
      expect(shown).toContain('error: nothing was destroyed\nhint: --yes does not ask\n');
      expect(code).toBe(1);
      expect(destroyed()).toBe(false);
    },
  );

  it('destroys nothing on Ctrl-C', async () => {
    const { user, destroyed } = await serve({ instances: owned });
    const { code } = await show(user, 'images destroy 3', '\u0003');
    expect(code).toBe(130);
    expect(destroyed()).toBe(false);
  });

  it.each([
    ['no user has an instance', { instances: [] }],
    ['an older server does not say', {}],
  ])('does not ask when %s', async (_what, attributes) => {
    const { user, destroyed } = await serve(attributes);
    const { code, shown } = await show(user, 'images destroy 3');
    expect({ code, asked: shown.includes('[y/N]') }).toEqual({ code: 0, asked: false });
    expect(destroyed()).toBe(true);
  });

  it.each(['--yes', '<&-', '</dev/null', '2>/dev/null'])('neither asks nor looks with %s', async (more) => {
    const { user, stub } = await serve({ instances: owned });
    const { code } = await show(user, `images destroy 3 ${more}`);
    expect(code).toBe(0);
    expect(stub.seen.map(({ line }) => line)).toEqual(['DELETE /images/3']);
  });

  it('destroys nothing when the server does not list the instances', async () => {
    const stub = await startStubServer({
      [`GET ${OWNERS}`]: { status: 403, body: apiError('forbidden', 'Forbidden', 'only the upload user') },
    });
    const { code, shown } = await show(createUser(stub), 'images destroy 3');
    expect(code).toBe(1);
    expect(shown).toContain('error: Forbidden (only the upload user)\n');
    expect(stub.seen).toHaveLength(1);
  });
});

describe('the instances of an image', () => {
  it('are counted by owner', () => {
    expect(describeInstances(3, [{ id: 4, owner: 'ada@example.com' }])).toEqual([
      'destroying image 3 also destroys 1 instance:',
      '  ada@example.com: 1',
    ]);
  });
});
