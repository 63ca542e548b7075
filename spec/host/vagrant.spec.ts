import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../e2e/support/command.ts';
import { Host } from './support/host.ts';

const checkout = join(import.meta.dirname, '../..');

let host: Host;

beforeAll(async () => {
  host = await Host.create(join(checkout, 'tmp/debian.tar'));
  const architecture = (await run(['dpkg', '--print-architecture'])).trim();
  const built = join(checkout, 'tmp/host/draupnir.deb');
  await run(['install', '-D', built, join(host.root, `vagrant/dist/draupnir_5_${architecture}.deb`)]);
  await run(['cp', join(checkout, 'vagrant/provision'), join(host.root, 'provision')]);
});
afterAll(() => host.remove());

const provision = (): Promise<string> => host.run(['/provision', '/vagrant/dist']);

/** As README says it, in a login shell of root. */
const asDeveloper = (lines: string): Promise<string> => host.run(['sudo', '-i', 'bash', '-euc', lines]);

describe('the provision script of the virtual machine', () => {
  it('makes a server with an image that a developer gets a copy of', async () => {
    expect(await provision()).toContain('eval "$(draupnir new)" && psql -d myapp');
    const count = `SELECT count(*), count(*) FILTER (WHERE email LIKE '%@customer.example') FROM users`;
    const line = `eval "$(draupnir new)" && psql -d myapp -XAtc "${count}"`;
    expect(await asDeveloper(line)).toBe('1000|0\n');
    expect(await host.run(['draupnir', 'doctor'])).toMatch(/^all holds;/);
  });

  it('installs another build and keeps what exists', async () => {
    const before = await asDeveloper('draupnir images list; draupnir instances list');
    expect(before.trim().split('\n')).toHaveLength(2);
    await provision();
    expect(await asDeveloper('draupnir images list; draupnir instances list')).toBe(before);
    expect(await asDeveloper('eval "$(draupnir env 1)" && psql -d myapp -XAtc "SELECT 42"')).toBe('42\n');
  });
});
