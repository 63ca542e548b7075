import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../e2e/support/command.ts';
import { Host } from './support/host.ts';

const checkout = join(import.meta.dirname, '../..');
const QUICKSTART = '/var/lib/draupnir-quickstart';

/** What quickstart needs, of the packages that the host can install without a network. */
const NEEDED = 'btrfs-progs iptables libatomic1 libnss-wrapper lz4 postgresql procps sudo xz-utils zstd';

/** A server without HTTPS and sign-in, whose token for uploads root has in its settings. */
const CONFIG = `
database_url = "host=/run/postgresql user=draupnir dbname=draupnir"
data_path = "/draupnir"
environment = "package"
shared_secret = "the-secret-of-the-bot"
trusted_user_email_domain = "@example.com"
public_hostname = "localhost"
clean_interval = "30m"
min_instance_port = 7432
max_instance_port = 8432
min_free_space = "100MiB"
http.insecure_listen_address = "127.0.0.1:8442"
oauth = { redirect_url = "http://localhost/oauth_callback", client_id = "none", client_secret = "none", enabled = false }
`;
const SETTINGS =
  'Domain = "127.0.0.1:8442"\nDatabase = "shop"\n\n[Token]\nRefreshToken = "the-secret-of-the-bot"\n';

let host: Host;

const quickstart = (option: string): Promise<string> => host.sh(`/opt/draupnir quickstart ${option} 2>&1`);

/** Both ways through sudo and the scripts. */
const makeAndRemoveImage = (command: string): Promise<string> =>
  host.sh(`
    echo 'SELECT 1;' >/tmp/script.sql
    id=$(${command} images create 2026-11-22T00:00:00Z /tmp/script.sql | awk '{print $1}')
    ${command} images destroy "$id"`);

/** What doctor finds, and what it complains of. */
const diagnose = (command: string): Promise<string> => host.sh(`${command} 2>&1 || true`);
const diagnosePackage = (): Promise<string> => diagnose('draupnir doctor');
const diagnoseQuickstart = (): Promise<string> =>
  diagnose(`${QUICKSTART}/bin/draupnir doctor --config ${QUICKSTART}/etc/config.toml`);

/** Both do their work, and know each other. */
async function expectBothToWork(): Promise<void> {
  await makeAndRemoveImage('draupnir --insecure');
  await makeAndRemoveImage(`${QUICKSTART}/draupnir`);
  expect(await diagnosePackage()).toMatch(/^all holds; .* I14 1,/);
  expect(await diagnoseQuickstart()).toMatch(/^all holds; .* I14 1,/);
}

/** A container has no loop devices: quickstart finds its volume mounted. */
const mountQuickstartVolume = (): Promise<string> =>
  host.sh(`mkdir -p ${QUICKSTART}/data && mount --bind /volume/quickstart ${QUICKSTART}/data`);

beforeAll(async () => {
  host = await Host.create(join(checkout, 'tmp/debian.tar'));
  await run(['cp', join(checkout, 'tmp/host/draupnir.deb'), join(host.root, 'draupnir.deb')]);
  // Users of quickstart get numbers that no other test of this machine gives its own: it would end processes of both.
  await host.sh(`
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq ${NEEDED}
    dpkg-deb --fsys-tarfile /draupnir.deb | tar -x -O ./usr/bin/draupnir >/opt/draupnir
    chmod 0755 /opt/draupnir
    sed -i -E '/^#? *SYS_[UG]ID_/d' /etc/login.defs
    printf '%s\\n' 'SYS_UID_MIN 250' 'SYS_UID_MAX 259' 'SYS_GID_MIN 250' 'SYS_GID_MAX 259' >>/etc/login.defs
    mkdir /volume
    mount --make-private /draupnir
    mount --bind /draupnir /volume
    btrfs -q subvolume create /volume/package
    btrfs -q subvolume create /volume/quickstart
    mount --bind /volume/package /draupnir`);
  await mountQuickstartVolume();
});
afterAll(() => host.remove());

describe('quickstart and the package on one host', () => {
  it('work, quickstart first', async () => {
    await quickstart('--no-sample');
    await host.sh('DEBIAN_FRONTEND=noninteractive apt-get install -y -qq /draupnir.deb');
    await host.run(['tee', '/etc/draupnir/config.toml'], { input: CONFIG });
    await host.run(['tee', '/root/.draupnir'], { input: SETTINGS });
    await host.sh(`
      chmod 0600 /root/.draupnir
      cd / && runuser -u postgres -- createuser draupnir && runuser -u postgres -- createdb -O draupnir draupnir
      systemctl enable -q --now draupnir`);
    await expectBothToWork();
    // Quickstart makes it without a home and a shell, and the bot's key needs both.
    expect(await host.run(['getent', 'passwd', 'draupnir-upload'])).toMatch(
      /:\/var\/lib\/draupnir-upload:\/bin\/bash\n$/,
    );
    expect(await host.sh('stat -c %U:%a ~draupnir-upload/.ssh')).toBe('draupnir-upload:700\n');
  });

  it('leave the package its users when quickstart is taken down', async () => {
    expect(await quickstart('--down')).toContain('user draupnir stays: another installation');
    await makeAndRemoveImage('draupnir --insecure');
    expect(await diagnosePackage()).toMatch(/^all holds; .* I14 0,/);
  });

  it('work, the package first: quickstart makes users of its own', async () => {
    await mountQuickstartVolume();
    await quickstart('--no-sample');
    expect(await host.sh(`stat -c %U ${QUICKSTART}/state`)).toBe('draupnir-2\n');
    await expectBothToWork();
  });

  it('start and report it when another installation has the numbers of the package', async () => {
    await host.sh(`
      install -d /opt/other/scripts
      sed -e '/_PATH=/d' -e s/DRAUPNIR/OTHER/ /etc/draupnir/host.conf >/opt/other/scripts/host.conf
      echo 'other ALL=(root:root) NOPASSWD: /opt/other/scripts/draupnir-inspect ""' >/etc/sudoers.d/other
      systemctl restart draupnir
      curl -sf http://127.0.0.1:8442/health_check`);
    const journal = await host.run(['journalctl', '--no-pager', '--output=cat', '-u', 'draupnir']);
    expect(journal).toMatch(
      /"level":"error".*"other":"\/opt\/other\/scripts".*"another installation uses the same"/,
    );
    expect(await diagnosePackage()).toContain(
      'I14 installation /opt/other/scripts: uses the same numeric users 1000000000 to 1999999999, ',
    );
    await host.sh('rm -r /opt/other /etc/sudoers.d/other');
  });

  it('leave quickstart all it has when the package is purged', async () => {
    await host.sh('DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq draupnir');
    await makeAndRemoveImage(`${QUICKSTART}/draupnir`);
    expect(await diagnoseQuickstart()).toMatch(/^all holds; .* I14 0,/);
    await quickstart('--down');
    expect(await host.sh('getent passwd | grep -c ^draupnir')).toBe('2\n');
  });
});
