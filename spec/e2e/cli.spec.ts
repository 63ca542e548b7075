import { readFile, stat } from 'node:fs/promises';
import { describe, expect, inject, it } from 'vitest';
import type { Image, Instance } from './support/api.ts';
import { VERSION } from './support/api.ts';
import { Cli } from './support/cli.ts';
import { getInstallation } from './support/installation.ts';
import { ANONYMISE } from './support/source.ts';
import { upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();

/** Contract: command line; id padded to 2, READY to 5. */
function imageLine({ id, backedUpAt, ready }: Image): string {
  return `${String(id).padStart(2)} [ ${backedUpAt} - READY: ${ready ? ' true' : 'false'} ]\n`;
}

function instanceLine({ id, port, createdAt }: Instance): string {
  return `${String(id).padStart(2)} [ PORT: ${port} - ${createdAt} ]\n`;
}

describe('draupnir images', () => {
  it('takes a backup from create to destroy, a line each', async () => {
    const cli = await Cli.create('upload');
    const script = await cli.writeFile('anonymise.sql', ANONYMISE);
    const created = await cli.run(['images', 'create', '2017-05-01T14:00:00+02:00', script]);
    const id = Number(created.stdout.trim().split(' ')[0]);
    const image = { id, backedUpAt: '2017-05-01T12:00:00Z', ready: false };
    expect(created).toEqual({ exitCode: 0, stdout: imageLine(image), stderr: '' });

    await upload(id, inject('e2e').backup);
    const finalised = await cli.run(['images', 'finalise', String(id)]);
    expect(finalised).toEqual({ exitCode: 0, stdout: imageLine({ ...image, ready: true }), stderr: '' });

    const destroyed = await cli.run(['images', 'destroy', String(id)]);
    expect(destroyed).toEqual({ exitCode: 0, stdout: '', stderr: `destroyed image ${id}\n` });
    expect(await server.api.listImageIds()).not.toContain(id);
  });

  it('takes a backup with a wrong script to its end with corrected ones', async () => {
    const cli = await Cli.create('upload');
    const { id } = await server.api.createImage('SELECT nothing;');
    await upload(id, inject('e2e').backup);
    const failed = await cli.run(['images', 'finalise', String(id)]);
    expect(failed).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('SQLSTATE 42703') as string,
    });

    const script = await cli.writeFile('anonymise.sql', ANONYMISE);
    const queries = await cli.writeFile('verify.sql', `\\c shop\nTABLE customers;\n`);
    const verified = await cli.run([
      ...['images', 'finalise', String(id)],
      ...['--anonymise', script, '--verify', queries],
    ]);
    expect(verified.exitCode).toBe(1);
    expect(verified.stderr).toContain('query 1 of the verification script, on line 2, returned rows');
    const none = await cli.writeFile('verify.sql', '');
    expect(await cli.run(['images', 'finalise', String(id), '--verify', none])).toMatchObject({
      exitCode: 0,
    });
    expect(await server.api.getImage(id)).toMatchObject({ ready: true });
    const late = await cli.run(['images', 'finalise', String(id), '--verify', none]);
    expect(late).toMatchObject({
      exitCode: 1,
      stderr: 'error: Image Busy (the image is ready, its scripts have been used: create another image)\n',
    });
    await server.api.destroyImage(id);
  });

  it('reads the script from stdin when it is called -', async () => {
    const cli = await Cli.create('upload');
    const { exitCode, stdout } = await cli.run(['images', 'create', '2017-05-01T12:00:00Z', '-'], {
      input: 'SELECT 1;',
    });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ ?[0-9]+ \[ 2017-05-01T12:00:00Z - READY: false \]\n$/);
  });

  it('lists the images, a line each', async () => {
    const image = await server.api.createImage('');
    const cli = await Cli.create('developer');
    const { exitCode, stdout, stderr } = await cli.run(['images', 'list']);
    const images = await Promise.all((await server.api.listImageIds()).map((id) => server.api.getImage(id)));
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 0,
      stdout: images.map(imageLine).join(''),
      stderr: '',
    });
    expect(stdout).toContain(imageLine(image));
    expect(stdout).toContain(imageLine({ ...image, id: inject('e2e').imageId, ready: true }));
  });

  it('tells why a preparation failed, and fails', async () => {
    const { id } = await server.api.createImage('');
    const { exitCode, stdout, stderr } = await (
      await Cli.create('upload')
    ).run(['images', 'finalise', String(id)]);
    expect(exitCode).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toBe(
      'error: Finalise Failed (the upload is empty: copy the backup into it, then ask again)\n',
    );
  });

  it('is refused to a developer with title and detail', async () => {
    const cli = await Cli.create('developer');
    const outcome = await cli.run(['images', 'destroy', String(inject('e2e').imageId)]);
    expect(outcome).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: 'error: Forbidden (only the upload user may change images)\n',
    });
  });
});

describe('draupnir images destroy on a terminal', () => {
  it('shows whose instances go with the image, and asks', async () => {
    const image = inject('e2e').imageId;
    await server.api.createInstance(image);
    await server.api.createInstance(image, 'upload');
    const cli = await Cli.create('upload');
    const command = `'${getInstallation().program}' images destroy ${image}`;
    const terminal = ['script', '--quiet', '--return', '--command', command, '/dev/null'];
    const { exitCode, stdout } = await cli.execute(terminal, { input: 'n\n' });
    expect(stdout).toMatch(/destroying image [0-9]+ also destroys [0-9]+ instances:\r\n/);
    expect(stdout).toMatch(/^ {2}integration-test@.*: [0-9]+\r$/m);
    expect(stdout).toMatch(/^ {2}upload: [0-9]+\r$/m);
    expect(stdout).toContain('nothing was destroyed\r\n');
    expect(exitCode).toBe(1);
    expect(await server.api.listImageIds()).toContain(image);
  });
});

describe('draupnir instances', () => {
  it('takes an instance from create to destroy, a line each', async () => {
    const cli = await Cli.create('developer');
    const created = await cli.run(['instances', 'create', String(inject('e2e').imageId)]);
    const id = Number(created.stdout.trim().split(' ')[0]);
    const instance = await server.api.getInstance(id);
    expect(created).toEqual({ exitCode: 0, stdout: instanceLine(instance), stderr: '' });

    const listed = await cli.run(['instances', 'list']);
    expect(listed.exitCode).toBe(0);
    expect(listed.stdout.split(/(?<=\n)/)).toContain(instanceLine(instance));

    const destroyed = await cli.run(['instances', 'destroy', String(id)]);
    expect(destroyed).toEqual({ exitCode: 0, stdout: '', stderr: `destroyed instance ${id}\n` });
    const again = await cli.run(['instances', 'destroy', String(id)]);
    expect(again).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: 'error: Resource Not Found (The resource you requested could not be found)\n',
    });
  });

  it('takes the latest ready image unless told otherwise', async () => {
    await server.api.createImage('');
    const cli = await Cli.create('developer');
    const { stdout } = await cli.run(['instances', 'create']);
    const { imageId } = await server.api.getInstance(Number(stdout.trim().split(' ')[0]));
    expect(imageId).toBe(inject('e2e').imageId);
  });
});

describe('draupnir env', () => {
  it('prints the one line of the contract, and writes the certificates', async () => {
    const cli = await Cli.create('developer');
    const { id, port, credentials } = await server.api.createInstance(inject('e2e').imageId);
    const { exitCode, stdout, stderr } = await cli.run(['env', String(id)]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const dir =
      new RegExp(`PGSSLROOTCERT='(${cli.dir}/draupnir-${id}-[A-Za-z0-9]{6})/ca.crt'`).exec(stdout)?.[1] ?? '';
    // The first part unsets the other variables of libpq (shells.spec.ts).
    const [unset, line] = stdout.split(' && export ');
    expect(unset).not.toContain('\n');
    expect(line).toBe(
      `PGHOST=localhost PGPORT=${port} PGUSER=draupnir PGPASSWORD='' PGDATABASE=shop PGSSLMODE=verify-ca ` +
        `PGSSLROOTCERT='${dir}/ca.crt' PGSSLCERT='${dir}/client.crt' PGSSLKEY='${dir}/client.key'\n`,
    );
    const files = { 'ca.crt': credentials.ca, 'client.crt': credentials.cert, 'client.key': credentials.key };
    const modes = { 'ca.crt': 0o644, 'client.crt': 0o644, 'client.key': 0o600 };
    for (const [name, pem] of Object.entries(files))
      expect(await readFile(`${dir}/${name}`, 'utf8')).toBe(pem);
    for (const [name, mode] of Object.entries(modes))
      expect((await stat(`${dir}/${name}`)).mode & 0o777).toBe(mode);
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
  });

  it('makes psql work', async () => {
    const cli = await Cli.create('developer');
    const { id } = await server.api.createInstance(inject('e2e').imageId);
    const script = `eval "$(draupnir env ${id})"\npsql -X -A -t -c 'SELECT email FROM customers WHERE id = 1'`;
    expect(await cli.bash(script)).toEqual({
      exitCode: 0,
      stdout: 'customer-1@anonymous.invalid\n',
      stderr: '',
    });
  });

  it("connects to the setting's database, else the caller's, else postgres", async () => {
    const cli = await Cli.create('developer');
    const { id } = await server.api.createInstance(inject('e2e').imageId);
    const script = `eval "$(draupnir env ${id})"\npsql -X -A -t -c 'SELECT current_database()'`;
    await cli.run(['config', 'set', 'database', '']);
    expect((await cli.bash(script)).stdout).toBe('postgres\n');
    expect((await cli.bash(script, { PGDATABASE: 'shop' })).stdout).toBe('shop\n');
    await cli.run(['config', 'set', 'database', 'template1']);
    expect((await cli.bash(script, { PGDATABASE: 'shop' })).stdout).toBe('template1\n');
  });

  it('knows no instance of somebody else', async () => {
    const { id } = await server.api.createInstance(inject('e2e').imageId, 'upload');
    const { exitCode, stdout } = await (await Cli.create('developer')).run(['env', String(id)]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: 'false\n' });
  });
});

describe('draupnir new', () => {
  it('makes an instance that psql can use at once', async () => {
    const cli = await Cli.create('developer');
    const script = `eval "$(draupnir new)" && psql -X -A -t -c 'SELECT count(*) FROM customers'`;
    const { exitCode, stdout, stderr } = await cli.bash(script);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '60\n' });
    const id = (await server.api.listInstanceIds()).at(-1);
    expect(stderr).toBe(`created instance ${String(id)}\n`);
  });
});

describe('draupnir config', () => {
  it('shows the settings with the token cut short', async () => {
    const cli = await Cli.create('developer');
    const domain = `localhost:${getInstallation().httpsPort}`;
    expect(await cli.run(['config', 'show'])).toEqual({
      exitCode: 0,
      stdout: `Domain: ${domain}\nAccess Token: the-integr****\nDatabase: shop\n`,
      stderr: '',
    });
  });

  it('begins with a domain that has to be set', async () => {
    const cli = await Cli.createWithoutSettings();
    const { exitCode, stdout } = await cli.run(['config', 'show']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Domain: set-me-to-a-real-domain\n/);
    expect((await stat(cli.settings)).mode & 0o777).toBe(0o600);
    const { exitCode: refused, stderr } = await cli.run(['images', 'list']);
    expect(refused).toBe(78);
    expect(stderr).toContain('hint: draupnir config set domain draupnir.example.com\n');
  });

  it('keeps what is set', async () => {
    const cli = await Cli.createWithoutSettings();
    for (const [key, value] of [
      ['domain', 'draupnir.example.com'],
      ['database', 'app'],
    ] as const) {
      expect(await cli.run(['config', 'set', key, value])).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    }
    const { stdout } = await cli.run(['config', 'show']);
    expect(stdout).toMatch(/^Domain: draupnir\.example\.com\nAccess Token: .*\nDatabase: app\n$/);
  });

  it('knows no other settings', async () => {
    const cli = await Cli.createWithoutSettings();
    const { exitCode, stdout, stderr } = await cli.run(['config', 'set', 'colour', 'blue']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 64, stdout: '' });
    expect(stderr).toContain('the settings are domain and database');
  });
});

describe('draupnir', () => {
  it('says its version', async () => {
    const cli = await Cli.createWithoutSettings();
    expect(await cli.run(['--version'])).toEqual({ exitCode: 0, stdout: `${VERSION}\n`, stderr: '' });
  });

  it.each([['help'], ['--help'], []])('explains itself: %s', async (...args) => {
    const { exitCode, stdout, stderr } = await (await Cli.createWithoutSettings()).run(args.filter(Boolean));
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    for (const part of ['draupnir authenticate', 'eval "$(draupnir new)" && psql'])
      expect(stdout).toContain(part);
  });

  it.each([
    [
      ['images', 'help'],
      ['list', 'create', 'finalise', 'destroy'],
    ],
    [
      ['instances', '--help'],
      ['list', 'create', 'destroy'],
    ],
    [
      ['help', 'config'],
      ['show', 'set', 'check'],
    ],
  ])('explains %j', async (args, commands) => {
    const { exitCode, stdout } = await (await Cli.createWithoutSettings()).run(args);
    expect(exitCode).toBe(0);
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
  });

  it.each([[['imags']], [['images', 'finalise']], [['images', 'finalise', '1e3']], [['--nope']]])(
    'refuses %j on stderr alone',
    async (args) => {
      const { exitCode, stdout, stderr } = await (await Cli.create('developer')).run(args);
      expect({ exitCode, stdout }).toEqual({ exitCode: 64, stdout: '' });
      expect(stderr).toMatch(/^error: /);
    },
  );

  it('prints false where a shell would evaluate nothing, and starts whatever NODE_OPTIONS says', async () => {
    const cli = await Cli.create('developer');
    expect(await cli.run(['env', '0'])).toMatchObject({ exitCode: 64, stdout: 'false\n' });
    const env = { NODE_OPTIONS: '--require /nonexistent' };
    expect(await cli.run(['env', '999999999'], { env })).toEqual({
      exitCode: 1,
      stdout: 'false\n',
      stderr: 'error: Resource Not Found (The resource you requested could not be found)\n',
    });
  });

  it('names a disabled sign-in to a user without a token', async () => {
    const cli = await Cli.createWithoutSettings();
    await cli.run(['config', 'set', 'domain', `localhost:${getInstallation().httpsPort}`]);
    expect(await cli.run(['instances', 'list'])).toEqual({
      exitCode: 1,
      stdout: '',
      stderr:
        'error: Unauthorized (You do not have permission to view this resource)\n' +
        'hint: sign-in is disabled on this server: ask its operator for a token, ' +
        'to be Token.RefreshToken in the settings file\n',
    });
  });

  it('needs root to set up a playground', async () => {
    const { exitCode, stderr } = await (await Cli.createWithoutSettings()).run(['quickstart']);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('quickstart needs root');
  });
});
