import { randomBytes } from 'node:crypto';
import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startChild } from '../child.ts';
import { NoSpace } from '../failure.ts';
import { ADMIN } from '../postgres/session.ts';
import { formatSessionOptions } from '../postgres/session-options.ts';
import type { Cluster } from '../workplace.ts';
import { judgeOutput } from './judge-output.ts';
import { readPsqlOutput } from './psql-output.ts';

/** Space for the messages of psql. */
const RESERVED_BYTES = 65_536;

/**
 * Runs an anonymisation script by psql, and trusts its proven success alone. A check follows that it ran to its very end, in this
 * very session, and left no transaction open: an early \q, an unfinished COPY or a missing COMMIT would otherwise pass for success.
 * DISCARD ALL is refused inside a transaction; the nonce, which the script does not know, is printed last.
 *
 * The script is a file and not stdin, which every program that it starts would inherit and could read statements away from.
 */
export async function runScript(cluster: Cluster, text: string): Promise<void> {
  const { scratch, major } = cluster;
  const file = join(scratch, 'anonymise.sql');
  const end = `draupnir-end ${randomBytes(16).toString('hex')}`;
  await writeFile(file, `${text}\n;\n\\set ON_ERROR_STOP on\n\\o\nDISCARD ALL;\n\\warn ${end}\n`);
  // A file and no pipe: programs that the script starts inherit it, and may outlive psql. It has its space in advance, since the
  // script may fill /tmp.
  const errorFile = join(scratch, 'anonymise.errors');
  await rm(errorFile, { force: true });
  await writeFile(errorFile, Buffer.alloc(RESERVED_BYTES), { mode: 0o600 });
  const errors = await open(errorFile, 'r+');
  // A program of the script that opens /dev/stderr would truncate it.
  await errors.chmod(0o400);
  const { ended } = startChild(
    'psql',
    // Errors show their code and never their text, which could quote a row.
    ['-X', '-q', '--no-password', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=sqlstate', '-f', file],
    ['ignore', 'ignore', errors.fd],
    {
      PGDATABASE: 'postgres',
      PGHOST: scratch,
      PGUSER: ADMIN,
      PGAPPNAME: 'draupnir',
      PGOPTIONS: formatSessionOptions(major, false),
    },
  );
  const { exitCode } = await ended.catch(async (error: unknown) => {
    await errors.close();
    throw error;
  });
  const output = await readPsqlOutput(errors.createReadStream({ start: 0 }), end);
  const lines = text.split('\n').length - 1;
  try {
    judgeOutput({ text, file, lines }, output, exitCode);
  } catch (error) {
    throw output.lacksSpace
      ? new NoSpace('the anonymisation script met a full disk', { cause: error })
      : error;
  }
}
