import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Instance } from './support/api.ts';
import { HeldScript } from './support/held-script.ts';
import { type HostState, readHostState } from './support/host-state.ts';
import { getInstallation, INSTANCE_PORTS } from './support/installation.ts';
import { callScript } from './support/script.ts';
import { upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

// Nothing but the scripts is to change anything here.
const server = useServer({ network: 'block_instance_egress = false\nreconcile_interval = "1h"' });

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** As a shell reports a process that SIGTERM has ended. */
const ENDED = 143;
const EX_DATAERR = 65;
/** No record has it. */
const ID = '9301';
const PORT = String(INSTANCE_PORTS.max - 5);

let instance: Instance;
let before: HostState;

beforeAll(async () => {
  instance = await server.api.createInstance(inject('e2e').imageId);
});

beforeEach(async () => {
  before = await readHostState();
});

/** Subvolumes, folders, processes and listeners are as before, and no file in the run directory names the instance. */
async function expectNothingLeft(): Promise<void> {
  expect(await readHostState()).toEqual(before);
  const names = await readdir(getInstallation().run, { recursive: true });
  expect(names.filter((name) => name.includes(ID))).toEqual([]);
}

function getConfigDirectory(id: string | number): string {
  return join(getInstallation().data, 'instance_config', String(id));
}

/** Certificates of an instance as a script takes them. */
async function readCertificates(): Promise<string> {
  const names = ['server.key', 'server.crt', 'ca.crt'];
  const folder = getConfigDirectory(instance.id);
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.map((text) => `${text}\f`).join('');
}

describe('draupnir-create-instance', () => {
  const create = (): HeldScript =>
    new HeldScript('draupnir-create-instance', [ID, String(inject('e2e').imageId), PORT]);

  it.each(SIGNALS)('removes everything at %s while it waits for the certificates', async (name) => {
    const script = create();
    const settings = join(getConfigDirectory(ID), 'postgresql.conf');
    await waitUntil('the configuration is written', () => Promise.resolve(existsSync(settings)));
    expect(await script.end(name)).toBe(ENDED);
    await expectNothingLeft();
  });

  it.each(SIGNALS)('removes everything at %s while it waits for «open»', async (name) => {
    const script = create();
    script.write(await readCertificates());
    await script.waitFor(/^(ready|started) \d+$/m);
    expect(await script.end(name)).toBe(ENDED);
    await expectNothingLeft();
  });

  it('removes everything when a command fails, such as one that cannot write', async () => {
    const script = create();
    script.write(await readCertificates());
    await script.waitFor(/^(ready|started) \d+$/m);
    const rules = join(getConfigDirectory(ID), 'pg_hba.conf');
    await rm(rules);
    await mkdir(rules);
    script.write('open\n');
    expect(await script.exited()).toBe(1);
    await expectNothingLeft();
  });

  it.each(SIGNALS)('makes nothing at %s before it has arguments', async (name) => {
    const script = new HeldScript('draupnir-create-instance', ['wait']);
    await script.waitFor(/^waiting$/m);
    expect(await script.end(name)).toBe(name);
    await expectNothingLeft();
  });
});

describe('draupnir-start-instance', () => {
  it.each(SIGNALS)('stops the instance again at %s while it waits for «open»', async (name) => {
    const id = String(instance.id);
    expect((await callScript('draupnir-stop-instance', [id])).exitCode).toBe(0);
    before = await readHostState();
    const script = new HeldScript('draupnir-start-instance', [id]);
    await script.waitFor(/^started \d+$/m);
    expect(await script.end(name)).toBe(EX_DATAERR);
    expect(script.stdout).toMatch(/^started \d+\nfailure .+\n$/);
    const isRunFile = (path: string): boolean => path.startsWith(join(getInstallation().run, 'instances'));
    const { folders, ...rest } = await readHostState();
    expect({ ...rest, folders: before.folders }).toEqual(before);
    expect(folders.filter((path) => !isRunFile(path))).toEqual(
      before.folders.filter((path) => !isRunFile(path)),
    );
  });
});

describe('an instance that starts again', () => {
  it('admits connections from this host alone until «open», and from all addresses afterwards', async () => {
    const id = String(instance.id);
    const readRules = (): Promise<string> =>
      readFile(join(getConfigDirectory(id), 'pg_hba.conf'), 'utf8').then((text) =>
        [...text.matchAll(/^hostssl all draupnir (\S+) cert /gm)].map(([, address]) => address).join(' '),
      );
    // The second time it was open before.
    for (let round = 0; round < 2; round++) {
      expect((await callScript('draupnir-stop-instance', [id])).exitCode).toBe(0);
      const script = new HeldScript('draupnir-start-instance', [id]);
      await script.waitFor(/^started \d+$/m);
      expect(await readRules()).toBe('127.0.0.1/32 ::1/128');
      script.write('open\n');
      expect(await script.exited()).toBe(0);
      expect(await readRules()).toBe('0.0.0.0/0 ::/0');
    }
  });

  it('can leave no core dump, which would hold rows', async () => {
    const id = String(instance.id);
    expect((await callScript('draupnir-stop-instance', [id])).exitCode).toBe(0);
    const script = new HeldScript('draupnir-start-instance', [id]);
    const [, pid] = await script.waitFor(/^started (\d+)$/m);
    expect(await readFile(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m);
    script.write('open\n');
    expect(await script.exited()).toBe(0);
  });

  it('leaves no run files but its socket directory when it is stopped', async () => {
    const id = String(instance.id);
    expect((await callScript('draupnir-stop-instance', [id])).exitCode).toBe(0);
    const names = await readdir(join(getInstallation().run, 'instances'));
    expect(names.filter((name) => name.startsWith(`${id}.`))).toEqual([]);
  });
});

describe('draupnir-renew-instance', () => {
  it.each(SIGNALS)('brings the certificates back at %s while it waits for «keep»', async (name) => {
    const other = await server.api.createInstance(inject('e2e').imageId);
    const folder = getConfigDirectory(other.id);
    const readFiles = async (): Promise<string[]> => {
      const names = (await readdir(folder)).filter((each) => each !== 'postgres.log').sort();
      const texts = names.map((each) => readFile(join(folder, each), 'utf8').catch(() => 'a folder'));
      return (await Promise.all(texts)).map((text, index) => `${names[index]}\n${text}`);
    };
    const files = await readFiles();
    before = await readHostState();
    const script = new HeldScript('draupnir-renew-instance', [String(other.id)]);
    script.write(await readCertificates());
    await script.waitFor(/^installed \d+$/m);
    expect(await readFiles()).not.toEqual(files);
    expect(await script.end(name)).toBe(ENDED);
    expect(await readFiles()).toEqual(files);
    expect(await readHostState()).toEqual(before);
    await server.api.destroyInstance(other.id);
  });
});

describe('an instance with new certificates', () => {
  it('keeps nothing of those from before once the server has accepted them', async () => {
    const folder = getConfigDirectory(instance.id);
    const names = (await readdir(folder)).sort();
    const script = new HeldScript('draupnir-renew-instance', [String(instance.id)]);
    script.write(await readCertificates());
    await script.waitFor(/^installed \w+$/m);
    expect((await readdir(folder)).sort()).toEqual([...names, 'previous'].sort());
    script.write('keep\n');
    expect(await script.exited()).toBe(0);
    expect((await readdir(folder)).sort()).toEqual(names);
  });

  it('gets them though an earlier renewal was cut short while it wrote its files', async () => {
    const folder = getConfigDirectory(instance.id);
    const names = (await readdir(folder)).sort();
    for (const name of ['next.new', 'previous.new']) await mkdir(join(folder, name));
    const script = new HeldScript('draupnir-renew-instance', [String(instance.id)]);
    script.write(await readCertificates());
    await script.waitFor(/^installed \w+$/m);
    script.write('keep\n');
    expect(await script.exited()).toBe(0);
    expect((await readdir(folder)).sort()).toEqual(names);
  });
});

describe('draupnir-create-image', () => {
  it.each(SIGNALS)('removes the upload at %s while it waits for «keep»', async (name) => {
    const script = new HeldScript('draupnir-create-image', [ID]);
    await script.waitFor(/^made$/m);
    expect(await script.end(name)).toBe(ENDED);
    expect(await readHostState()).toEqual(before);
    expect((await callScript('draupnir-destroy-image', [ID])).exitCode).toBe(0);
  });
});

describe('draupnir-finalise-image', () => {
  let image = '';

  beforeAll(async () => {
    const { id } = await server.api.createImage('SELECT 1;');
    image = String(id);
    await upload(id, inject('e2e').backup);
  });
  afterAll(() => server.api.destroyImage(Number(image)));
  afterEach(async () => {
    const files = await readdir(join(getInstallation().data, 'image_uploads', image));
    expect(files.length).toBe(inject('e2e').backup.length);
  });

  it.each(SIGNALS)('makes nothing at %s before it has the length', async (name) => {
    const script = new HeldScript('draupnir-finalise-image', [image]);
    await waitUntil('the script waits', () => Promise.resolve(existsSync(`/proc/${script.pid}/fd/0`)));
    expect(await script.end(name)).toBe(name);
    expect(await readHostState()).toEqual(before);
  });

  it.each(SIGNALS)('keeps the upload and nothing else at %s while it waits for the request', async (name) => {
    const script = new HeldScript('draupnir-finalise-image', [image]);
    script.write('100\n{');
    const draft = join(getInstallation().run, 'images', image, 'request');
    await waitUntil('the request is being read', () => Promise.resolve(existsSync(draft)));
    expect(await script.end(name)).toBe(ENDED);
    expect(await readHostState()).toEqual(before);
  });

  it.each(SIGNALS)('keeps the upload and nothing else at %s while it works', async (name) => {
    const script = new HeldScript('draupnir-finalise-image', [image]);
    const request = JSON.stringify({ anonymisation: '', verification: [], scrub: 'full' });
    script.write(`${request.length}\n${request}`);
    await script.waitFor(/^step unpack /m);
    expect(await script.end(name)).toBe(ENDED);
    expect(await readHostState()).toEqual(before);
  });
});
