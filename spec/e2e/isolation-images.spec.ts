import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { BREACH, decodeOutput, formatProgram } from './support/attacker.ts';
import { Bystander } from './support/bystander.ts';
import { hashHostFiles, listStrayFiles } from './support/host-files.ts';
import { readHostState } from './support/host-state.ts';
import { formatKernelAttacks, formatRefusals } from './support/kernel-attacks.ts';
import { query } from './support/instance-client.ts';
import { getInstallation, IMAGE_UID_BASE, INSTANCE_UID_BASE } from './support/installation.ts';
import { listProcessesOf } from './support/processes.ts';
import { ANONYMISE } from './support/source.ts';
import { upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();
let bystander: Bystander;

beforeAll(async () => {
  bystander = new Bystander(await server.api.createInstance(inject('e2e').imageId));
});

// A hook that throws would keep those after it from running: what is expected is in the last test.
afterAll(() => bystander.stop());

/** Everything that a program of an anonymisation script could try; it prints BREACH where it gets through. */
async function writeAttack(otherImage: number): Promise<string> {
  const { data, run, dir, scripts, metadata, httpPort } = getInstallation();
  const [sibling] = await listProcessesOf(INSTANCE_UID_BASE + bystander.instance.id);
  const pids = [sibling?.pid, server.process.pid, process.pid].join(' ');
  const secrets = [
    `${data}/image_uploads/${otherImage}/base.tar.gz`,
    `${data}/image_snapshots/${inject('e2e').imageId}/PG_VERSION`,
    `${data}/instances/${bystander.instance.id}/PG_VERSION`,
    `${data}/instance_config/${bystander.instance.id}/server.key`,
    `${dir}/config.toml`,
    '/etc/shadow',
  ];
  return `
    for file in ${secrets.join(' ')}; do cat "$file" >/dev/null && echo ${BREACH} "$file"; done
    for pid in ${pids}; do
      kill -9 $pid && echo ${BREACH} signal $pid
      for file in environ mem maps; do head -c 1 /proc/$pid/$file >/dev/null && echo ${BREACH} $pid $file; done
      ls /proc/$pid/root/ >/dev/null && echo ${BREACH} root $pid
    done
    (exec 3<>/dev/tcp/127.0.0.1/${httpPort}) && echo ${BREACH} network
    (exec 3<>/dev/tcp/127.0.0.1/${bystander.instance.port}) && echo ${BREACH} instance
    psql -X -h '${run}/instances/${bystander.instance.id}' -p ${bystander.instance.port} -U draupnir-admin -c 'SELECT 1' postgres && echo ${BREACH} socket
    psql -X -h '${metadata}' -U draupnir -c 'SELECT 1' draupnir && echo ${BREACH} metadata
    for folder in / /etc /usr/bin /run '${run}' '${run}/images' '${data}' '${data}/image_uploads' '${data}/image_snapshots' '${data}/instances' '${scripts}' '${scripts}/lib'; do
      echo x >"$folder/planted" && echo ${BREACH} "$folder"
      mkdir "$folder/planted" && echo ${BREACH} "$folder"
    done
    sudo -n true && echo ${BREACH} sudo
    unshare --user true && echo ${BREACH} user namespace
    mount -t tmpfs none /tmp && echo ${BREACH} mount
    for folder in /tmp /var/tmp /dev/shm; do mkdir -p "$folder/deep"; echo row >"$folder/deep/copy"; done
    ipcmk -M 4096 >/dev/null
    echo 'devices' $(ls /dev)
    perl <<'PERL'
${formatKernelAttacks()}
PERL
    echo 'ran as' $(id -u)`;
}

describe('an anonymisation script that attacks the host', () => {
  it('gets through nowhere, by psql or by Postgres, and leaves nothing behind', async () => {
    const other = await server.api.createImage(ANONYMISE);
    await upload(other.id, inject('e2e').backup);
    const attack = formatProgram(await writeAttack(other.id));
    const { id } = await server.api.createImage(`\\! (${attack}) >/tmp/by-psql
\\c shop
CREATE TABLE by_psql (line text);
COPY by_psql FROM '/tmp/by-psql';
CREATE TABLE by_postgres (line text);
COPY by_postgres FROM PROGRAM '${attack}';
`);
    await upload(id, inject('e2e').backup);
    const files = await hashHostFiles(bystander.instance.id);
    const before = await readHostState();
    const answer = await server.api.finaliseImage(id);
    expect(answer, answer.text).toMatchObject({ status: 200 });
    expect(await readHostState()).toEqual({
      ...before,
      subvolumes: [
        ...before.subvolumes.filter((path) => path !== `image_uploads/${id}`),
        `image_snapshots/${id}`,
      ].sort(),
    });
    expect(await listStrayFiles()).toEqual([]);
    expect(await hashHostFiles(bystander.instance.id)).toEqual(files);
    expect(await listProcessesOf(IMAGE_UID_BASE + id)).toEqual([]);
    const instance = await server.api.createInstance(id);
    for (const table of ['by_psql', 'by_postgres']) {
      const [line] = await query(instance, `SELECT line FROM ${table}`);
      const output = decodeOutput(String(line));
      expect(output, table).not.toContain(BREACH);
      expect(output).toContain(formatRefusals());
      expect(output).toContain('devices fd full null random shm stderr stdin stdout urandom zero\n');
      expect(output).toContain(`ran as ${IMAGE_UID_BASE + id}\n`);
    }
  });

  it('cannot turn files that root reads later into links or pipes', async () => {
    const { id } = await server.api.createImage(`\\c shop
COPY (SELECT 1) TO PROGRAM 'rm PG_VERSION; mkfifo PG_VERSION; ln -s /etc/shadow pg_hba.conf; ln -s /etc/shadow postmaster.opts.x';
`);
    await upload(id, inject('e2e').backup);
    const before = await readHostState();
    const answer = await server.api.finaliseImage(id);
    expect(answer).toMatchObject({
      status: 422,
      json: { detail: 'the anonymisation script has damaged the data directory: PG_VERSION is gone' },
    });
    expect(await readHostState()).toEqual(before);
    expect(await listStrayFiles()).toEqual([]);
  });
});

describe('after all that', () => {
  it('the host is as it was, and a bystander has answered all along', async () => {
    const { answers, failures } = await bystander.stop();
    expect(failures).toEqual([]);
    expect(answers).toBeGreaterThan(10);
  });
});
