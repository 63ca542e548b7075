import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { Cli } from './support/cli.ts';
import { run } from './support/command.ts';
import { getInstallation, UPLOAD_USER } from './support/installation.ts';
import { useServer } from './support/use-server.ts';

/** What the shells of people make of the line that `env` and `new` print. */
const server = useServer();

const NASTY = [
  `it's "quoted" \`id\` $(id) \${HOME} $HOME`,
  `'`,
  `''`,
  `\\`,
  `\\'`,
  `'\\''`,
  `a\\\\b\\n\\x41`,
  '-n',
  '--help',
  '*',
  '~',
  '#no comment',
  'a;b|c&d<e>f',
  '{a,b} [a-z] ? !! ^x %self',
  '=ls',
  ' leading and trailing ',
  'two  spaces\tand a tab',
  'Größe 日本 🐘 \u00a0',
];
const NEWLINES = ['two\nlines', '\n', 'ends\n\n', "'\n'"];

/** Sets and prints PGDATABASE for each argument behind the id, with a NUL behind each. */
const POSIX = `id=$1; shift
for value do
  unset PGDATABASE
  eval "$(PGDATABASE=$value "$PROGRAM" env "$id")" || exit 1
  printf '%s\\0' "$PGDATABASE"
done`;
const FISH = `for value in $argv[2..]
  set -e PGDATABASE
  EVALUATE || exit 1
  printf '%s\\0' $PGDATABASE
end`;
const FISH_COMMAND = 'env PGDATABASE=$value $PROGRAM env $argv[1]';

const SHELLS = [
  { name: 'bash', argv: ['bash', '-c', POSIX, 'bash'], values: [...NASTY, ...NEWLINES] },
  { name: 'dash', argv: ['dash', '-c', POSIX, 'dash'], values: [...NASTY, ...NEWLINES] },
  { name: 'zsh', argv: ['zsh', '-f', '-c', POSIX, 'zsh'], values: [...NASTY, ...NEWLINES] },
  // Its `export` takes the lines of a value for several, whatever the quotes.
  {
    name: 'fish, by eval',
    argv: ['fish', '--no-config', '-c', FISH.replace('EVALUATE', `eval (${FISH_COMMAND})`)],
    values: NASTY,
  },
  {
    name: 'fish, by source',
    argv: ['fish', '--no-config', '-c', FISH.replace('EVALUATE', `${FISH_COMMAND} | source`)],
    values: NASTY,
  },
];

/** Scripts, one a shell and form, that continue with AND when `eval` of `draupnir COMMAND` succeeds. */
const USES = [
  { name: 'bash', argv: ['bash', '-c'], script: 'eval "$("$PROGRAM" COMMAND)" && AND' },
  { name: 'bash, unquoted', argv: ['bash', '-c'], script: 'eval $("$PROGRAM" COMMAND) && AND' },
  { name: 'bash with set -e', argv: ['bash', '-euc'], script: 'eval "$("$PROGRAM" COMMAND)"; AND' },
  { name: 'dash', argv: ['dash', '-c'], script: 'eval "$("$PROGRAM" COMMAND)" && AND' },
  { name: 'dash with set -e', argv: ['dash', '-euc'], script: 'eval "$("$PROGRAM" COMMAND)"; AND' },
  { name: 'zsh', argv: ['zsh', '-f', '-c'], script: 'eval "$("$PROGRAM" COMMAND)" && AND' },
  { name: 'zsh with set -e', argv: ['zsh', '-f', '-euc'], script: 'eval "$("$PROGRAM" COMMAND)"; AND' },
  { name: 'fish', argv: ['fish', '--no-config', '-c'], script: 'eval ($PROGRAM COMMAND); and AND' },
  {
    name: 'fish, by source',
    argv: ['fish', '--no-config', '-c'],
    script: '$PROGRAM COMMAND | source; and AND',
  },
];

/** Variables of the caller that lead elsewhere or break the connection, one by one (libpq of Postgres 15). */
const HOSTILE: Record<string, string> = {
  PGSERVICE: 'elsewhere',
  PGHOSTADDR: '192.0.2.1',
  PGPORT: '9',
  PGCHANNELBINDING: 'require',
  PGGSSENCMODE: 'require',
  PGSSLCRL: '/dev/null',
  PGSSLCRLDIR: '/nonexistent',
  PGTARGETSESSIONATTRS: 'standby',
  PGOPTIONS: '-c role=app',
  PGSSLMAXPROTOCOLVERSION: 'TLSv1.1',
  PGSSLMINPROTOCOLVERSION: 'none',
  PGSSLCOMPRESSION: 'x',
};

/** What stays: preferences of the user, and what has no effect on an instance. */
const KEPT = [
  ...['PGAPPNAME', 'PGCLIENTENCODING', 'PGCONNECT_TIMEOUT', 'PGDATESTYLE', 'PGGEQO', 'PGSYSCONFDIR', 'PGTZ'],
  // Of 13 alone, which reads and ignores them.
  ...['PGAUTHTYPE', 'PGTTY'],
];

const SHOW = "psql -X -A -t -c 'SHOW cluster_name'";

/** Somebody without a setting for the database, whose directory for temporary files has a nasty name. */
async function createPerson(database: string): Promise<{ cli: Cli; env: Record<string, string> }> {
  const cli = await Cli.create('developer');
  await cli.run(['config', 'set', 'database', '--', database]);
  const TMPDIR = `${cli.dir}/it's a "$(touch hacked)" \\ * directory`;
  await mkdir(TMPDIR);
  await run(['chown', `${UPLOAD_USER}:`, TMPDIR]);
  return { cli, env: { PROGRAM: getInstallation().program, TMPDIR } };
}

describe.each(SHELLS)('in $name', ({ argv, values }) => {
  it('each value comes out of draupnir env as it went in', async () => {
    const { cli, env } = await createPerson('');
    const { id } = await server.api.createInstance(inject('e2e').imageId);
    const { stdout, stderr, exitCode } = await cli.execute([...argv, String(id), ...values], { env });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout.split('\0').slice(0, -1)).toEqual(values);
  });
});

describe.each([
  ['bash', ['bash', '-c'], 'eval $("$PROGRAM" new) || exit 1'],
  ['dash', ['dash', '-c'], 'eval $("$PROGRAM" new) || exit 1'],
  ['zsh', ['zsh', '-f', '-c'], 'eval $("$PROGRAM" new) || exit 1'],
  ['fish', ['fish', '--no-config', '-c'], 'eval ($PROGRAM new) || exit 1'],
])('in %s', (_name, argv, evaluate) => {
  const psql = `psql -X -A -t -c 'SELECT count(*) FROM customers'`;

  it('psql works after draupnir new, with certificates below a nasty path', async () => {
    const { cli, env } = await createPerson('shop');
    const outcome = await cli.execute([...argv, `${evaluate}; ${psql}`], { env });
    expect(outcome).toMatchObject({ exitCode: 0, stdout: '60\n' });
  });

  it('the database of the settings comes out as it went in', async () => {
    const nasty = `-it's $(id) "x" \\ é 'y'`;
    const { cli, env } = await createPerson(nasty);
    const outcome = await cli.execute([...argv, `${evaluate}; printf '%s' "$PGDATABASE"`], { env });
    expect(outcome).toMatchObject({ exitCode: 0, stdout: nasty });
  });
});

describe.each(USES)('in $name', ({ argv, script }) => {
  it('nothing follows when draupnir fails', async () => {
    const { cli, env } = await createPerson('shop');
    await cli.run(['config', 'set', 'domain', 'localhost:9']);
    // The server is down, and the command line is wrong.
    for (const command of ['new', 'env']) {
      const use = script.replace('COMMAND', command).replace('AND', 'echo "went to $PGHOST"');
      const outcome = await cli.execute([...argv, use], { env: { ...env, PGHOST: 'production' } });
      expect(outcome).toMatchObject({ stdout: '', stderr: expect.stringMatching(/^error: /) as unknown });
      expect(outcome.exitCode).not.toBe(0);
    }
  });

  it('the instance is reached whatever variables of libpq were set', async () => {
    const { cli, env } = await createPerson('shop');
    const { id } = await server.api.createInstance(inject('e2e').imageId);
    const use = script.replace('COMMAND', `env ${id}`).replace('AND', SHOW);
    const outcome = await cli.execute([...argv, use], { env: { ...HOSTILE, ...env } });
    expect(outcome).toEqual({ exitCode: 0, stdout: `draupnir-instance-${id}\n`, stderr: '' });
  });
});

describe('the variables of libpq', () => {
  it('do not keep psql from the instance, each by itself', async () => {
    const { cli, env } = await createPerson('shop');
    const { id } = await server.api.createInstance(inject('e2e').imageId);
    const script = `line=$("$PROGRAM" env ${id})
for setting; do (export "$setting"; eval "$line" && echo "$setting $(${SHOW} 2>&1)"); done`;
    const settings = Object.entries(HOSTILE).map(([name, value]) => `${name}=${value}`);
    const { stdout } = await cli.execute(['bash', '-c', script, 'bash', ...settings], { env });
    expect(stdout).toBe(settings.map((setting) => `${setting} draupnir-instance-${id}\n`).join(''));
  });

  it('are all set, unset or kept on purpose, in every major', async () => {
    const { postgres, majors, debianMajor } = getInstallation();
    const names = new Set<string>();
    for (const major of majors.filter((each) => each !== debianMajor)) {
      const library = await readFile(join(postgres, String(major), 'lib/libpq.so.5'), 'latin1');
      // PGRES_… are names of result codes.
      for (const [name] of library.matchAll(/(?<![ -~])PG(?!RES_)[A-Z_]+(?=\0)/g)) names.add(name);
    }
    expect(names).toContain('PGSERVICE');
    const { cli, env } = await createPerson('shop');
    const [id] = await server.api.listInstanceIds();
    const hostile = Object.fromEntries([...names].map((name) => [name, 'as before']));
    const script = `eval "$("$PROGRAM" env ${String(id)})" && env`;
    const { stdout } = await cli.execute(['bash', '-c', script], { env: { ...env, ...hostile } });
    const kept = [...stdout.matchAll(/^(PG[A-Z_]+)=as before$/gm)].map(([, name]) => name);
    expect(kept.sort()).toEqual(KEPT.sort());
  });
});
