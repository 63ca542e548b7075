import { mkdir } from 'node:fs/promises';
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
