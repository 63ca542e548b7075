/**
 * steps-program WORK SCRATCH BIN MAJOR
 *
 * Starts the Postgres of a preparation on data directory WORK, prints a line, and takes steps of the preparation: one for each line
 * of stdin, a StepCommand. Answers each by a line, JSON of the reason why it failed, or `null`. Ends Postgres at the end of stdin.
 */
import { createInterface } from 'node:readline';
import { PreparationFailure } from '../../../../src/prepare/failure.ts';
import { createAdmin } from '../../../../src/prepare/postgres/admin.ts';
import { writeConfiguration } from '../../../../src/prepare/postgres/configuration.ts';
import { withSession } from '../../../../src/prepare/postgres/databases.ts';
import { PreparationServer } from '../../../../src/prepare/postgres/server.ts';
import { checkSessionsEnded } from '../../../../src/prepare/script/check-sessions.ts';
import { checkProgramsEnded, listPrograms } from '../../../../src/prepare/script/programs.ts';
import { runScript } from '../../../../src/prepare/script/run-script.ts';
import { verify } from '../../../../src/prepare/script/verify.ts';
import type { Cluster } from '../../../../src/prepare/workplace.ts';
import type { StepCommand } from './preparation-steps.ts';

/** How long what a script has started may take to end, in milliseconds; a preparation gives it more. */
const PATIENCE_MS = 2000;

const [work = '', scratch = '', bin = '', major] = process.argv.slice(2);
const cluster: Cluster = {
  ...{ work, scratch, bin, postgresRoot: '', major: Number(major) },
  ...{ memoryKib: 1_048_576, maxFiles: 1000, walSegmentBytes: 16_777_216 },
};

async function take(server: PreparationServer, command: StepCommand): Promise<void> {
  if ('verify' in command) return verify(cluster, command.verify);
  await runScript(cluster, command.anonymise);
  await checkProgramsEnded(server.pid, PATIENCE_MS);
  await checkSessionsEnded(cluster, PATIENCE_MS);
}

/** Programs, sessions and prepared transactions: the next step finds Postgres alone. */
async function clearLeftovers(server: PreparationServer): Promise<void> {
  for (const pid of await listPrograms(server.pid)) process.kill(pid, 'SIGKILL');
  await withSession(cluster, 'postgres', true, async (session) => {
    const others = `FROM pg_stat_activity WHERE datid IS NOT NULL AND pid <> pg_backend_pid()`;
    await session.query(`SELECT pg_terminate_backend(pid, 10000) ${others}`);
    const prepared = await session.query<{ statement: string }>(
      `SELECT format('ROLLBACK PREPARED %L', gid) AS statement FROM pg_prepared_xacts`,
    );
    for (const { statement } of prepared) await session.query(statement);
  });
}

async function main(): Promise<void> {
  await writeConfiguration(cluster);
  const server = new PreparationServer(cluster);
  await server.start();
  await createAdmin(cluster, server);
  process.stdout.write('started\n');
  for await (const line of createInterface({ input: process.stdin })) {
    const reason = await take(server, JSON.parse(line) as StepCommand).then(
      () => null,
      (error: unknown) => {
        if (error instanceof PreparationFailure) return error.message;
        throw error;
      },
    );
    await clearLeftovers(server);
    process.stdout.write(`${JSON.stringify(reason)}\n`);
  }
  await server.stop();
}

void main();
