import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { asUid, run } from './host.ts';
import type { Layout } from './layout.ts';
import { SourceDatabase } from './source-database.ts';
import type { Steps } from './steps.ts';
import { print } from './steps.ts';

/** What identifies people, and must differ afterwards. */
const PEOPLE = 'SELECT id, name, email FROM customers ORDER BY id LIMIT 3';
/** What a developer works with, and must be the same. */
const NUMBERS = `SELECT (SELECT count(*) FROM customers) || ' customers, ' || (SELECT count(*) FROM orders) || ' orders, '
  || (SELECT sum(total) FROM orders) || ' in total, ' || (SELECT sum(quantity * unit_price) FROM order_lines) || ' by lines'`;

/** Ids that the run has made. */
export interface Outcome {
  imageId: string;
  instanceId: string;
}

/** From a production database to an anonymised instance, by the commands that a user would type. */
export async function runMainJob(layout: Layout, bin: string, steps: Steps): Promise<Outcome> {
  const source = new SourceDatabase(layout, bin);
  try {
    await steps.run('start a database that stands for production', () => source.start());
    await steps.run(
      'fill it with a shop: customers, orders, support messages',
      () => source.load(),
      (size) => size,
    );
    const people = await source.query('shop', PEOPLE);
    const numbers = await source.query('shop', NUMBERS);
    await steps.run('take a base backup with pg_basebackup', () => source.backUp());
    const imageId = await createImage(layout, source, steps);
    const instanceId = await createInstance(layout, imageId, steps);
    await showAnonymised(layout, instanceId, { people, numbers }, steps);
    await showDisk(layout, imageId, instanceId);
    return { imageId, instanceId };
  } finally {
    await source.remove();
  }
}

async function createImage(layout: Layout, source: SourceDatabase, steps: Steps): Promise<string> {
  const now = `${new Date().toISOString().slice(0, 19)}Z`;
  const imageId = await steps.run(
    'draupnir images create',
    async () => firstWord(await run([layout.cli, 'images', 'create', now, layout.anonymisationScript])),
    (id) => `image ${id}`,
  );
  await steps.run('upload the backup as the upload user', () =>
    source.copyBackup(join(layout.data, 'image_uploads', imageId)),
  );
  await steps.run(`draupnir images finalise ${imageId}: recover, anonymise, scrub, freeze`, () =>
    run([layout.cli, 'images', 'finalise', imageId]),
  );
  return imageId;
}

function createInstance(layout: Layout, imageId: string, steps: Steps): Promise<string> {
  return steps.run(
    `draupnir instances create ${imageId}`,
    async () => firstWord(await run([layout.cli, 'instances', 'create', imageId])),
    (id) => `instance ${id}`,
  );
}

/** Asks the instance as its owner would, by psql over mutual TLS, and compares with production. */
async function showAnonymised(
  layout: Layout,
  instanceId: string,
  source: { people: string; numbers: string },
  steps: Steps,
): Promise<void> {
  const answers = await steps.run('ask the instance by psql over mutual TLS', async () => {
    const script =
      'eval "$("$1" env "$2")"; trap \'rm -rf -- "${PGSSLKEY%/*}"\' EXIT; psql -X -A -t -v ON_ERROR_STOP=1 -c "$3" -c "$4"';
    const argv = ['bash', '-Eeuo', 'pipefail', '-c', script, 'bash', layout.cli, instanceId, PEOPLE, NUMBERS];
    // The directory of the client's settings, which root alone can enter, takes the credentials.
    return run(argv, { env: { TMPDIR: dirname(layout.settings) } });
  });
  const lines = answers.trim().split('\n');
  const numbers = lines.pop() ?? '';
  print();
  print('  production:');
  for (const line of source.people.split('\n')) print(`    ${line.replaceAll('|', '  ')}`);
  print('  instance:');
  for (const line of lines) print(`    ${line.replaceAll('|', '  ')}`);
  print(`  production: ${source.numbers}`);
  print(`  instance:   ${numbers}`);
  if (numbers !== source.numbers)
    throw new Error('the numbers of the instance differ from those of production');
  const leaked = source.people.split('\n').flatMap((line) => line.split('|').slice(1));
  if (leaked.some((value) => answers.includes(value))) {
    throw new Error('the instance still shows a name or an e-mail address of production');
  }
}

async function showDisk(layout: Layout, imageId: string, instanceId: string): Promise<void> {
  const image = await measure(join(layout.data, 'image_snapshots', imageId));
  const instance = await measure(join(layout.data, 'instances', instanceId));
  print();
  print(`  disk: image ${formatMb(image.total)}, instance ${formatMb(instance.exclusive)} of its own`);
}

/** Bytes of a subvolume: all it refers to, and what no other refers to (btrfs-filesystem(8), "du"). */
async function measure(path: string): Promise<{ total: number; exclusive: number }> {
  await run(['sync', '-f', path]);
  // As the owner, who could have put a link or a pipe in there.
  const { uid } = await lstat(path);
  const du = ['btrfs', 'filesystem', 'du', '--raw', '-s', '.'];
  const output = await run(['env', '-C', path, ...asUid(uid, du)]);
  const [total = '0', exclusive = '0'] = (output.trim().split('\n').at(-1) ?? '').trim().split(/\s+/);
  return { total: Number(total), exclusive: Number(exclusive) };
}

function formatMb(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

/** The id: first word of the CLI's line (contract: command line). */
function firstWord(line: string): string {
  const word = line.trim().split(/\s+/)[0] ?? '';
  if (!/^[1-9][0-9]*$/.test(word)) throw new Error(`no id in "${line.trim()}"`);
  return word;
}
