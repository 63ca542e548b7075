import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../e2e/support/command.ts';
import { waitUntil } from '../e2e/support/wait.ts';
import { Host } from './support/host.ts';

const checkout = join(import.meta.dirname, '../..');
const API = 'http://127.0.0.1:8442';
const NEXT = '99.0.0';
const DROP_IN = '/etc/systemd/system/draupnir.service.d';

let host: Host;

beforeAll(async () => {
  const built = join(checkout, 'tmp/host/draupnir.deb');
  expect(await run(['dpkg-deb', '--field', built, 'Package'])).toBe('draupnir\n');
  host = await Host.create(join(checkout, 'tmp/debian.tar'));
  await run(['cp', built, join(host.root, 'draupnir.deb')]);
});
afterAll(() => host.remove());

/** What the server has said since the host was made. */
const readJournal = (): Promise<string> =>
  host.run(['journalctl', '--no-pager', '--output=cat', '-u', 'draupnir']);

const getServerPid = async (): Promise<string> =>
  (await host.run(['systemctl', 'show', '--property=MainPID', '--value', 'draupnir'])).trim();

const getState = async (): Promise<string> =>
  (await host.run(['systemctl', 'show', '--property=ActiveState', '--value', 'draupnir'])).trim();

const isHealthy = async (): Promise<boolean> =>
  (await host.runCommand(['curl', '-sf', `${API}/health_check`])).exitCode === 0;

/** The command line with the bot's settings. */
const draupnir = (...args: string[]): Promise<string> => host.run(['draupnir', '--insecure', ...args]);

/** Asks an instance, by mutual TLS, as `draupnir env` says. */
const query = (id: string, sql: string): Promise<string> =>
  host.sh(`eval "$(draupnir --insecure env ${id})"; psql -XAtc "${sql}"`);

/** Process ids of the Postgres of instances: their sessions are children of these. */
async function listPostmasters(): Promise<string[]> {
  const { stdout } = await host.runCommand(['pgrep', '-P', '1', '-f', 'cluster_name=draupnir-instance-']);
  return stdout.split('\n').filter(Boolean);
}

describe('a fresh Debian 12', () => {
  it('takes the package, with what it wants, and starts nothing yet', async () => {
    await host.sh('install -m 0755 /dev/null /usr/local/bin/draupnir');
    const said = await host.sh('DEBIAN_FRONTEND=noninteractive apt-get install -y -q /draupnir.deb');
    expect(said).toContain('/usr/local/bin/draupnir hides /usr/bin/draupnir');
    await host.run(['rm', '/usr/local/bin/draupnir']);
    expect(said).toContain('/usr/share/doc/draupnir/README.md, "Installing a server"');
    const version = (await host.run(['draupnir', '--version'])).trim();
    expect(version).toContain((await run(['cat', join(checkout, 'DRAUPNIR_VERSION')])).trim());
    expect(await host.sh('zcat /usr/share/doc/draupnir/CHANGELOG.md.gz')).toContain(`\n## [${version}]`);
    expect((await host.runCommand(['systemctl', 'is-enabled', 'draupnir'])).stdout).toBe('disabled\n');
    expect(await getState()).toBe('inactive');
    await host.run(['visudo', '-c']);
    expect(
      await host.sh(
        'stat -Lc "%U:%G %a %n" /etc/sudoers.d/draupnir /usr/lib/draupnir/scripts/host.conf /usr/bin/draupnir ~draupnir-upload/.ssh',
      ),
    ).toBe(
      [
        'root:root 440 /etc/sudoers.d/draupnir',
        'root:root 644 /usr/lib/draupnir/scripts/host.conf',
        'root:root 755 /usr/bin/draupnir',
        'draupnir-upload:draupnir-upload 700 /var/lib/draupnir-upload/.ssh\n',
      ].join('\n'),
    );
  });

  it('has a sample whose check finds what is left to do, as the user of the server that has never run', async () => {
    await host.sh('install -m 0640 -g draupnir /usr/share/draupnir/config.toml /etc/draupnir/config.toml');
    const { exitCode, stdout, stderr } = await host.runCommand(['draupnir', 'config', 'check']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 78, stdout: '' });
    const lines = stderr.split('\n').map((line) => line.replace('/etc/draupnir/config.toml: ', ''));
    expect(lines.filter((line) => !line.includes(': warning: '))).toEqual([
      'shared_secret: must be text of your own, in quotes',
      'oauth.client_secret: must be text of your own, in quotes',
      expect.stringMatching(/^http\.tls_certificate: .*no such file/),
      expect.stringMatching(/^http\.tls_private_key: .*no such file/),
      ...['public_hostname', 'trusted_user_email_domain', 'oauth.redirect_url', 'oauth.client_id'].map(
        (path) => expect.stringMatching(`^${path}: is the value of the sample`) as string,
      ),
      expect.stringMatching(/^database_url: .* role "draupnir" does not exist; check user and password/),
      '',
    ]);
  });

  it('says what is wrong with a configuration, once, and does not try again', async () => {
    const started = await host.runCommand(['systemctl', 'start', 'draupnir']);
    expect(started.exitCode).not.toBe(0);
    expect(await getState()).toBe('failed');
    expect(await readJournal()).toMatch(/config\.toml: .*tls_certificate.*/);
    expect(await host.run(['systemctl', 'show', '--property=NRestarts', 'draupnir'])).toBe('NRestarts=0\n');
  });

  it('runs the server once it is configured: it answers when systemctl returns', async () => {
    await host.sh(`
      cd / && runuser -u postgres -- createuser draupnir && runuser -u postgres -- createdb -O draupnir draupnir
      sed -i -e 's/^listen_address/#&/' -e 's/^tls_/#&/' -e 's/^#insecure_listen/insecure_listen/' -e 's/^public_hostname.*/public_hostname = "localhost"/' \
        -e 's/^shared_secret.*/shared_secret = "the-secret-of-the-bot"/' -e 's/^#enabled = true/enabled = false/' -e 's/^#min_free_space.*/min_free_space = "100MiB"/' /etc/draupnir/config.toml
      runuser -u draupnir -- draupnir config check
      systemctl enable --now draupnir
      curl -sf ${API}/health_check`);
    await host.sh(
      `printf 'Domain = "127.0.0.1:8442"\\nDatabase = "shop"\\n[Token]\\nRefreshToken = "the-secret-of-the-bot"\\n' >/root/.draupnir; chmod 600 /root/.draupnir`,
    );
    expect(await draupnir('images', 'list')).toBe('');
  });
});

describe('the certificate of the API', () => {
  const LIVE = '/etc/letsencrypt/live';
  const HOOK = '/etc/letsencrypt/renewal-hooks/deploy/draupnir';

  /** Makes a pair as certbot would lay it out, for 90 days; resolves to its fingerprint. */
  const create = (name: string): Promise<string> =>
    host.sh(`
      mkdir -p ${LIVE}/${name} && cd ${LIVE}/${name}
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj /CN=${name} \
        -addext subjectAltName=DNS:${name} -keyout privkey.pem -out fullchain.pem 2>/dev/null
      openssl x509 -noout -fingerprint -sha256 -in fullchain.pem`);

  const readServed = (): Promise<string> =>
    host.sh(`
      openssl s_client -connect localhost:8443 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256`);

  const deploy = (name: string): Promise<string> =>
    host.run([HOOK], { env: { RENEWED_LINEAGE: `${LIVE}/${name}` } });

  const waitUntilServed = (fingerprint: string): Promise<unknown> =>
    waitUntil('the server shows the certificate', async () => (await readServed()) === fingerprint);

  it('is installed by the hook for certbot, while the server speaks plain HTTP', async () => {
    const first = await create('localhost');
    await host.sh(`
      mkdir -p /etc/letsencrypt/renewal-hooks/deploy
      sed 's/^name=.*/name=localhost/' /usr/share/draupnir/certbot-deploy-hook >${HOOK}
      chmod 0755 ${HOOK}`);
    await deploy('localhost');
    expect(await host.sh('stat -c "%U:%G %a %n" /etc/draupnir/tls.*')).toBe(
      'root:root 644 /etc/draupnir/tls.crt\nroot:draupnir 640 /etc/draupnir/tls.key\n',
    );
    await host.sh(`
      sed -i -e 's/^#listen_address/listen_address/' -e 's/^#tls_/tls_/' /etc/draupnir/config.toml
      draupnir config check
      systemctl restart draupnir`);
    expect(await readServed()).toBe(first);
  });

  it('is renewed by the hook, without another server', async () => {
    const [pid, renewed] = [await getServerPid(), await create('localhost')];
    await deploy('localhost');
    await waitUntilServed(renewed);
    expect(await getServerPid()).toBe(pid);
    expect(await getState()).toBe('active');
  });

  it('is left alone by the renewal of another name', async () => {
    const before = await host.run(['sha256sum', '/etc/draupnir/tls.crt', '/etc/draupnir/tls.key']);
    await create('other.example');
    await deploy('other.example');
    expect(await host.run(['sha256sum', '/etc/draupnir/tls.crt', '/etc/draupnir/tls.key'])).toBe(before);
  });

  it('stays when systemctl reload finds one with another key, and is replaced when that is put right', async () => {
    const [pid, served, renewed] = [await getServerPid(), await readServed(), await create('localhost')];
    await host.sh(`
      install -m 0644 ${LIVE}/localhost/fullchain.pem /etc/draupnir/tls.crt
      systemctl reload draupnir`);
    await waitUntil('the log has the reason', async () =>
      /certificate not reloaded/.test(await readJournal()),
    );
    expect(await readServed()).toBe(served);
    await host.sh(`
      install -m 0640 -g draupnir ${LIVE}/localhost/privkey.pem /etc/draupnir/tls.key
      systemctl reload draupnir`);
    await waitUntilServed(renewed);
    expect(await getServerPid()).toBe(pid);
    await host.run(['rm', '-r', '/etc/letsencrypt']);
  });
});

describe('the main job', () => {
  it('is done: a base backup, copied by scp, becomes an instance', async () => {
    await host.sh(`
      ssh-keygen -q -t ed25519 -N '' -f /root/bot
      echo "restrict,command=\\"internal-sftp\\" $(cat /root/bot.pub)" | sudo -u draupnir-upload tee -a ~draupnir-upload/.ssh/authorized_keys
      cd / && runuser -u postgres -- psql -Xqc 'CREATE DATABASE shop'
      runuser -u postgres -- psql -Xq shop -c "CREATE TABLE customers AS SELECT i AS id, 'person' || i || '@victim.example' AS email FROM generate_series(1, 1000) i"
      install -d -o postgres /backup && runuser -u postgres -- pg_basebackup -D /backup/b -Ft -z -X stream --checkpoint=fast
      printf '\\\\c shop\\nUPDATE customers SET email = id;\\n' >/root/anonymise.sql
      id=$(draupnir --insecure images create "$(date -u +%Y-%m-%dT%H:%M:%SZ)" /root/anonymise.sql | awk '{print $1}')
      scp -q -i /root/bot -o StrictHostKeyChecking=no /backup/b/* draupnir-upload@localhost:/draupnir/image_uploads/$id/
      draupnir --insecure images finalise "$id"
      draupnir --insecure instances create`);
    expect(await query('1', `SELECT count(*), count(*) FILTER (WHERE email LIKE '%@%') FROM customers`)).toBe(
      '1000|0\n',
    );
    await query('1', 'CREATE TABLE kept AS SELECT 42 AS answer');
    expect(await host.run(['draupnir', 'doctor'])).toMatch(/^all holds;/);
  });

  it('goes on when the server is killed: systemd starts it again, and instances notice nothing', async () => {
    const [before, postmasters] = [await getServerPid(), await listPostmasters()];
    expect(postmasters).toHaveLength(1);
    await host.run(['kill', '-KILL', before]);
    await waitUntil(
      'another server answers',
      async () => (await getServerPid()) !== before && (await isHealthy()),
    );
    expect(await listPostmasters()).toEqual(postmasters);
  });

  it('is there again after the host was off', async () => {
    await host.powerOff();
    await host.boot();
    await waitUntil('the server answers', isHealthy);
    await waitUntil('the instance is back', async () => (await listPostmasters()).length === 1);
    await waitUntil('it is open', () =>
      query('1', 'SELECT answer FROM kept').then(
        (text) => text === '42\n',
        () => false,
      ),
    );
  });

  it('waits for its database, however long that takes', async () => {
    await host.run(['systemctl', 'stop', 'postgresql@15-main', 'draupnir']);
    // As fast as on a host on which it fails at once: systemd gives up after five tries in ten seconds by itself.
    await host.sh(`
      mkdir -p ${DROP_IN} && printf '[Service]\\nRestartSec=100ms\\n' >${DROP_IN}/fast.conf
      systemctl daemon-reload`);
    await host.runCommand(['systemctl', 'start', '--no-block', 'draupnir']);
    await waitUntil(
      'it was tried more often than systemd allows by itself',
      async () =>
        /NRestarts=([7-9]|\d\d)/.test(
          await host.run(['systemctl', 'show', '--property=NRestarts', 'draupnir']),
        ),
      90_000,
    );
    await host.run(['systemctl', 'start', 'postgresql@15-main']);
    await waitUntil('the server answers', isHealthy);
    await host.sh(`rm -r ${DROP_IN} && systemctl daemon-reload`);
  });
});

describe('the package', () => {
  it('is upgraded below running instances, and keeps what the operator has changed', async () => {
    await host.sh(`
      sed -i 's/^INSTANCE_MEMORY_MAX=.*/INSTANCE_MEMORY_MAX=2G/' /etc/draupnir/host.conf
      dpkg-deb --raw-extract /draupnir.deb /next
      sed -i 's/^Version: .*/Version: ${NEXT}/' /next/DEBIAN/control
      dpkg-deb -Znone --build /next /next.deb >/dev/null`);
    const [before, postmasters] = [await getServerPid(), await listPostmasters()];
    await host.run(['dpkg', '-i', '/next.deb']);
    expect(await host.run(['dpkg-query', '-Wf', '${Version}', 'draupnir'])).toBe(NEXT);
    expect(await isHealthy()).toBe(true);
    expect(await getServerPid()).not.toBe(before);
    expect(await listPostmasters()).toEqual(postmasters);
    expect(await query('1', 'SELECT answer FROM kept')).toBe('42\n');
    expect(await host.run(['cat', '/etc/draupnir/host.conf'])).toContain('INSTANCE_MEMORY_MAX=2G\n');
  });

  it('starts a server again that was waiting for its database, enabled or not', async () => {
    await host.run(['systemctl', 'disable', 'draupnir']);
    await host.run(['systemctl', 'stop', 'postgresql@15-main']);
    await host.runCommand(['systemctl', 'restart', '--no-block', 'draupnir']);
    await waitUntil('it is tried again and again', async () => (await getState()) === 'activating');
    await host.run(['dpkg', '-i', '/next.deb']);
    await host.run(['systemctl', 'start', 'postgresql@15-main']);
    await waitUntil('the server answers', isHealthy);
    // The same with one that runs.
    const before = await getServerPid();
    await host.run(['dpkg', '-i', '/next.deb']);
    expect(await isHealthy()).toBe(true);
    expect(await getServerPid()).not.toBe(before);
    await host.run(['systemctl', 'enable', 'draupnir']);
  });

  it('leaves a server alone that was stopped', async () => {
    await host.run(['systemctl', 'stop', 'draupnir']);
    await host.run(['dpkg', '-i', '/next.deb']);
    expect(await getState()).toBe('inactive');
    await host.run(['systemctl', 'start', 'draupnir']);
  });

  it('is not removed while instances run that it cannot stop, and goes on then', async () => {
    const postmasters = await listPostmasters();
    await host.run(['mount', '-t', 'tmpfs', 'none', '/draupnir']);
    const removed = await host.runCommand(['dpkg', '-r', 'draupnir']);
    expect(removed.exitCode).not.toBe(0);
    expect(removed.stderr).toContain('is the volume mounted at /draupnir?');
    expect(await listPostmasters()).toEqual(postmasters);
    await host.run(['umount', '/draupnir']);
    await waitUntil('the server answers', isHealthy);
    expect(await host.run(['draupnir', 'doctor'])).toMatch(/^all holds;/);
  });

  it('ends what runs when it is removed, keeps the data, and takes up the work when it is back', async () => {
    expect(await host.sh('iptables -S; ip6tables -S')).toContain('DRAUPNIR');
    await host.run(['dpkg', '-r', 'draupnir']);
    expect(await listPostmasters()).toEqual([]);
    expect(await host.sh('iptables -S; ip6tables -S')).not.toContain('DRAUPNIR');
    expect((await host.runCommand(['pgrep', '-u', 'draupnir'])).stdout).toBe('');
    expect(await host.sh('ls /run | grep draupnir || true; ls /usr/lib | grep draupnir || true')).toBe('');
    await host.run(['dpkg', '-i', '/next.deb']);
    await host.run(['systemctl', 'start', 'draupnir']);
    await waitUntil('the instance is back', () =>
      query('1', 'SELECT answer FROM kept').then(
        (text) => text === '42\n',
        () => false,
      ),
    );
  });

  it('ends a server that waits for its database when it is removed, and what is below its directory is not its own', async () => {
    await host.run(['systemctl', 'stop', 'postgresql@15-main']);
    await host.runCommand(['systemctl', 'restart', '--no-block', 'draupnir']);
    await waitUntil('it is tried again and again', async () => (await getState()) === 'activating');
    await host.run(['dpkg', '-r', 'draupnir']);
    expect(await getState()).toBe('inactive');
    await host.run(['systemctl', 'start', 'postgresql@15-main']);
    await host.sh('mkdir /var/lib/draupnir/data && touch /var/lib/draupnir/data/file');
    await host.run(['dpkg', '--purge', 'draupnir']);
    expect(await host.run(['find', '/var/lib/draupnir'])).toBe(
      '/var/lib/draupnir\n/var/lib/draupnir/data\n/var/lib/draupnir/data/file\n',
    );
    await host.run(['rm', '-r', '/var/lib/draupnir']);
  });

  it('leaves volume, database and users when it is purged, and nothing else', async () => {
    expect(
      await host.sh(
        'find / -xdev -path /proc -prune -o -path /draupnir -prune -o -path "/next*" -prune -o -path "/var/log/*" -prune -o -name "*draupnir*" -print | sort',
      ),
    ).toBe('/draupnir.deb\n/root/.draupnir\n/var/lib/draupnir-upload\n');
    expect(
      await host.sh(
        'ls /draupnir/instances; id -un draupnir draupnir-upload 2>&1 || getent passwd draupnir-upload | cut -d: -f1',
      ),
    ).toContain('1\n');
    expect(await host.sh(`cd /; runuser -u postgres -- psql -XAtc 'SELECT id FROM instances' draupnir`)).toBe(
      '1\n',
    );
  });

  it('takes over settings that were beside scripts installed by hand', async () => {
    await host.sh(`
      mkdir -p /usr/lib/draupnir/scripts
      sed 's/^CGROUP=.*/CGROUP=mine/' /next/etc/draupnir/host.conf >/usr/lib/draupnir/scripts/host.conf
      dpkg --force-confold -i /draupnir.deb`);
    expect(await host.run(['readlink', '/usr/lib/draupnir/scripts/host.conf'])).toBe(
      '/etc/draupnir/host.conf\n',
    );
    expect(await host.run(['cat', '/etc/draupnir/host.conf'])).toContain('CGROUP=mine\n');
    await host.sh(`
      dpkg --purge draupnir && dpkg --force-confold -i /draupnir.deb && dpkg -r draupnir
      mkdir -p /usr/lib/draupnir/scripts && echo CGROUP=other >/usr/lib/draupnir/scripts/host.conf
      dpkg --force-confold -i /draupnir.deb`);
    expect(await host.run(['cat', '/etc/draupnir/host.conf.by-hand'])).toBe('CGROUP=other\n');
    expect(await host.run(['cat', '/etc/draupnir/host.conf'])).toContain('CGROUP=draupnir\n');
  });
});
