import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { PreparationFailure } from '../failure.ts';
import type { Cluster } from '../workplace.ts';
import { getConfigurationFile } from './configuration.ts';
import { ENVIRONMENT } from '../environment.ts';
import type { PreparationServer } from './server.ts';
import { ADMIN, Session } from './session.ts';

const STATEMENTS = [
  `UPDATE pg_authid SET rolname = '${ADMIN}-' || oid WHERE rolname = '${ADMIN}'`,
  `CREATE ROLE "${ADMIN}" SUPERUSER LOGIN`,
  `UPDATE pg_database SET datallowconn = true, datconnlimit = -1
    WHERE datconnlimit <> -2 AND (NOT datallowconn OR datconnlimit <> -1)`,
];

const UNUSABLE = 'no superuser of the backup can be used';

/**
 * Makes superuser draupnir-admin. Most clusters have a superuser postgres that can log in. Where it has another name or may not log
 * in, single-user mode needs no name at all.
 */
export async function createAdmin(cluster: Cluster, server: PreparationServer): Promise<void> {
  if (await createAs(cluster, 'postgres')) return;
  await server.stop();
  await createInSingleUserMode(cluster, server);
  await server.start();
  const session = await Session.connect(cluster, { database: 'template1', isOwn: true }).catch(() => {
    throw new PreparationFailure(UNUSABLE);
  });
  await session.end();
}

async function createAs(cluster: Cluster, user: string): Promise<boolean> {
  let session: Session | undefined;
  try {
    session = await Session.connect(cluster, { database: 'template1', user, isOwn: true });
    for (const statement of STATEMENTS) await session.query(statement);
    return true;
  } catch {
    return false;
  } finally {
    await session?.end();
  }
}

async function createInSingleUserMode(cluster: Cluster, server: PreparationServer): Promise<void> {
  const { scratch, bin, work } = cluster;
  // It insists on a name for its uid, and no host has one for ours; nss_wrapper(1) lends it one.
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const [passwd, group] = [join(scratch, 'passwd'), join(scratch, 'group')];
  await writeFile(passwd, `image:x:${uid}:${gid}::/nonexistent:/usr/sbin/nologin\n`);
  await writeFile(group, `image:x:${gid}:\n`);
  const { exitCode } = await execa(
    `${bin}/postgres`,
    ['--single', '-j', '-D', work, '-c', `config_file=${getConfigurationFile(cluster)}`, 'template1'],
    {
      cwd: '/',
      extendEnv: false,
      env: {
        ...ENVIRONMENT,
        LD_PRELOAD: 'libnss_wrapper.so',
        NSS_WRAPPER_PASSWD: passwd,
        NSS_WRAPPER_GROUP: group,
      },
      // With -j an empty line ends a statement (PostgreSQL manual, postgres, "Single-User Mode").
      input: STATEMENTS.map((statement) => `${statement};\n\n`).join(''),
      stdout: 'ignore',
      stderr: { file: server.logFile },
      reject: false,
    },
  );
  if (exitCode !== 0) throw await server.createFailure(UNUSABLE);
}
