import { join } from 'node:path';
import { expect } from 'vitest';
import type { Instance } from './api.ts';
import type { Cluster } from './cluster.ts';
import { type Outcome, run, runCommand } from './command.ts';
import { getInstallation } from './installation.ts';
import { waitUntil } from './wait.ts';

/** Creates every available extension in a new database, and prints those that could be loaded. */
const EXTENSIONS = `CREATE DATABASE extensions;
\\c extensions
SET client_min_messages = error;
DO $$
DECLARE
  available record;
BEGIN
  FOR available IN SELECT name FROM pg_available_extensions ORDER BY name LOOP
    BEGIN
      EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I CASCADE', available.name);
    EXCEPTION WHEN OTHERS THEN
      NULL;
    END;
  END LOOP;
END
$$;
SELECT extname || ' ' || extversion FROM pg_extension ORDER BY 1;
\\c postgres
DROP DATABASE extensions;
`;

/** Large objects by SQL and as files, a parallel query, one with JIT where the build has it, a program. */
const LOAD = `SET client_min_messages = error;
SELECT lo_from_bytea(4711, decode(repeat('00ff', 100000), 'hex'));
SELECT lo_export(4711, '/tmp/large');
SELECT lo_import('/tmp/large', 4712);
SELECT 'large ' || (lo_get(4711) = lo_get(4712))::text || ' ' || length(lo_get(4712));
CREATE TABLE wide AS SELECT i, repeat(md5(i::text), 10) AS text FROM generate_series(1, 50000) i;
ANALYZE wide;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (ANALYZE, COSTS off, TIMING off) SELECT count(*) FROM wide WHERE text LIKE '%abc%';
SET jit_above_cost = 0;
SELECT 'sum ' || sum(i * 2 + 1) FROM wide;
CREATE TABLE program (line text);
COPY program FROM PROGRAM 'echo through a program';
SELECT line FROM program;
`;

/** Runs psql of Debian's major as the administrator of the instance. */
function query(instance: Instance, sql: string): Promise<string> {
  return run(
    [
      'psql',
      '-X',
      '-q',
      '-A',
      '-t',
      '-v',
      'ON_ERROR_STOP=1',
      ...connection(instance),
      '-d',
      'postgres',
      '-f',
      '-',
    ],
    {
      input: sql,
    },
  );
}

function connection({ id, port }: Instance): string[] {
  return [
    '-h',
    join(getInstallation().run, 'instances', String(id)),
    '-p',
    String(port),
    '-U',
    'draupnir-admin',
  ];
}

/** The extensions that can be loaded outside of a sandbox. */
export function listExtensions(cluster: Cluster): Promise<string> {
  return cluster.query('postgres', EXTENSIONS);
}

/**
 * Uses extensions, large objects, parallel queries, statistics, and Debian's pgbench and pg_dump. Throws when one
 * of them fails, or when an extension of `extensions` cannot be created.
 */
export async function exercise(instance: Instance, major: number, extensions: string): Promise<void> {
  expect((await query(instance, EXTENSIONS)).trim()).toBe(extensions);
  const output = await query(instance, LOAD);
  expect(output).toContain('large true 200000\n');
  expect(output).toMatch(/Workers Launched: [12]/);
  expect(output).toContain('sum 2500100000\n');
  expect(output).toContain('through a program\n');
  const pgbench = ['pgbench', ...connection(instance)];
  await run([...pgbench, '-i', '-q', '-s', '1', 'postgres']);
  const result = await run([...pgbench, '-n', '-c', '4', '-j', '2', '-t', '50', 'postgres']);
  expect(result).toContain('number of transactions actually processed: 200/200');
  await waitUntil('the statistics count', async () => {
    const rows = await query(
      instance,
      `SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'pgbench_history'`,
    );
    return rows === '200\n';
  });
  expectDump(
    await runCommand(['pg_dump', ...connection(instance), '-t', 'pgbench_branches', 'postgres']),
    major,
  );
}

/** pg_dump refuses a server that is newer than itself. */
function expectDump({ exitCode, stdout, stderr }: Outcome, major: number): void {
  const { debianMajor } = getInstallation();
  if (major <= debianMajor) {
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('COPY public.pgbench_branches');
  } else {
    expect(exitCode).toBe(1);
    expect(stderr).toContain('server version mismatch');
  }
}
