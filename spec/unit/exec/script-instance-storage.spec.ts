import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ScriptInstanceStorage } from '../../../src/exec/script-instance-storage.ts';
import { createTemporaryDirectory } from '../../support/cli/temporary-directory.ts';
import { createFakeChain } from '../fakes/world.ts';
import { StubScripts } from './stub-scripts.ts';

const chain = Promise.resolve(createFakeChain(12));
const INSTANCE = { id: 12, imageId: 3, port: 6000 };

/** A creation that keeps a journal in a file; `ready` is what it does after its certificates. */
function createStorage(ready: string): { storage: ScriptInstanceStorage; journal: () => string[] } {
  const directory = mkdtempSync(join(tmpdir(), 'draupnir-journal-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'journal');
  const body = `exec 3>>${file}
    echo "arguments $*" >&3
    for _ in 1 2 3; do IFS= read -r -d $'\\f' pem; echo "$pem" >&3; done
    ${ready}`;
  const storage = new ScriptInstanceStorage(new StubScripts({ 'draupnir-create-instance': body }));
  return { storage, journal: () => readFileSync(file, 'utf8').trim().split('\n') };
}

/** As the real script does it: nothing stays unless it is told to open. */
const TRANSACTION = `echo started 4711; IFS= read -r word
  if [[ $word == open ]]; then echo "open" >&3; echo opened; else echo "removed" >&3; exit 70; fi`;

describe('the creation of an instance by the script', () => {
  it('sends the certificates, but never the keys of the CA and of the client', async () => {
    const { storage, journal } = createStorage(TRANSACTION);
    const started = await storage.createInstance(INSTANCE, chain);
    expect(started.pid).toBe(4711);
    expect(journal()).toEqual([
      'arguments 12 3 6000',
      'server key 12',
      'server certificate 12',
      'ca certificate 12',
    ]);
    await started.open();
    expect(journal().at(-1)).toBe('open');
  });

  it('is undone when it is abandoned, and that is done when abandon resolves', async () => {
    const { storage, journal } = createStorage(TRANSACTION);
    const started = await storage.createInstance(INSTANCE, chain);
    await started.abandon();
    expect(journal().at(-1)).toBe('removed');
  });

  it('may be abandoned after the opening failed', async () => {
    const { storage } = createStorage('echo started 1; read -r; echo "no such process" >&2; exit 1');
    const started = await storage.createInstance(INSTANCE, chain);
    await expect(started.open()).rejects.toMatchObject({ name: 'ScriptError', reason: 'no such process' });
    await started.abandon();
  });

  it('reports an occupied id as such', async () => {
    const { storage } = createStorage('echo "there is an instance 12" >&2; exit 73');
    await expect(storage.createInstance(INSTANCE, chain)).rejects.toMatchObject({ kind: 'id_occupied' });
  });

  it('tells an image whose snapshot is gone', async () => {
    const { storage } = createStorage('echo "image 3 has no snapshot" >&2; exit 66');
    await expect(storage.createInstance(INSTANCE, chain)).rejects.toMatchObject({ kind: 'image_not_ready' });
  });

  it.each([
    ['by its exit code', 'exit 74'],
    ['in the words of a program', 'echo "chown: /x: No space left on device" >&2; exit 1'],
    ['in the words of a program, of a quota', 'echo "cp: /x: Disk quota exceeded" >&2; exit 1'],
  ])('tells want of space %s', async (_how, ready) => {
    const { storage } = createStorage(ready);
    await expect(storage.createInstance(INSTANCE, chain)).rejects.toMatchObject({
      kind: 'insufficient_disk',
    });
  });

  it('tells want of space when it is abandoned for that reason', async () => {
    const { storage } = createStorage('echo started 1; read -r; exit 74');
    const started = await storage.createInstance(INSTANCE, chain);
    await expect(started.abandon()).rejects.toMatchObject({ kind: 'insufficient_disk' });
  });

  it.each([
    ['nothing', 'exit 1'],
    ['something else', 'echo started soon; read -r; exit 1'],
    ['more than the line', 'echo "started 1 2"; read -r; exit 1'],
  ])('fails when the script says %s', async (_, ready) => {
    const { storage } = createStorage(ready);
    const failure = { name: 'ScriptError', script: 'draupnir-create-instance', exitCode: 1 };
    await expect(storage.createInstance(INSTANCE, chain)).rejects.toMatchObject(failure);
  });

  it('does not take another word for opened', async () => {
    const { storage } = createStorage('echo started 1; read -r; echo opened?; exit 0');
    const started = await storage.createInstance(INSTANCE, chain);
    await expect(started.open()).rejects.toMatchObject({ name: 'ScriptError' });
  });
});

describe('an instance of the scripts', () => {
  it('is started and destroyed by its id', async () => {
    const storage = new ScriptInstanceStorage(
      new StubScripts({
        'draupnir-start-instance': 'echo "running 99$1"',
        'draupnir-destroy-instance': '[[ $# -eq 1 && $1 == 5 ]]',
      }),
    );
    expect(await storage.startInstance(5)).toEqual({ pid: 995 });
    await storage.destroyInstance(5);
    await expect(storage.destroyInstance(6)).rejects.toMatchObject({ name: 'ScriptError' });
  });

  /** Prints the texts as the real script does, each ended by a form feed. */
  const createReader = (...texts: string[]): ScriptInstanceStorage => {
    const body = `printf -- '%s\\n\\f' ${texts.map((text) => `"${text}"`).join(' ')}`;
    return new ScriptInstanceStorage(new StubScripts({ 'draupnir-read-credentials': body }));
  };
  const createPem = (label: string): string => `-----BEGIN ${label}-----`;

  it('of Draupnir 5.3 has its credentials read from the disk', async () => {
    const storage = createReader(createPem('CA of $1'), createPem('CERTIFICATE'), createPem('KEY'));
    expect(await storage.readAdoptedCredentials(5)).toEqual({
      ca: { certificate: '-----BEGIN CA of 5-----\n' },
      client: { certificate: '-----BEGIN CERTIFICATE-----\n', key: '-----BEGIN KEY-----\n' },
    });
  });

  it.each([
    ['nothing', []],
    ['two texts', [createPem('CA'), createPem('CERTIFICATE')]],
    ['a key without its first line', [createPem('CA'), createPem('CERTIFICATE'), 'MC4CAQAw']],
    ['a CA certificate that is empty', ['', createPem('CERTIFICATE'), createPem('KEY')]],
  ])('of Draupnir 5.3 is not shown with %s for credentials', async (_what, texts) => {
    await expect(createReader(...texts).readAdoptedCredentials(5)).rejects.toThrow(
      'the credentials of instance 5 cannot be read',
    );
  });

  it('that runs already needs its script no longer, whose input ends', async () => {
    const file = join(createTemporaryDirectory(), 'ended');
    const body = `echo 'running 995'; cat >/dev/null; touch '${file}'`;
    const storage = new ScriptInstanceStorage(new StubScripts({ 'draupnir-start-instance': body }));
    await storage.startInstance(5);
    await expect.poll(() => existsSync(file)).toBe(true);
  });

  it.each(['', 'echo stopped', 'echo started x'])(
    'is not taken for started when the script says it with: %s',
    async (body) => {
      const storage = new ScriptInstanceStorage(new StubScripts({ 'draupnir-start-instance': body }));
      await expect(storage.startInstance(5)).rejects.toMatchObject({ name: 'ScriptError' });
    },
  );

  /** As the real script does it: Postgres is stopped again unless it is told to open. */
  const start = `echo started 4711; IFS= read -r word
    if [[ $word == open ]]; then echo opened; else echo "failure no such port"; exit 65; fi`;

  it('that was started is opened after its proof', async () => {
    const storage = new ScriptInstanceStorage(new StubScripts({ 'draupnir-start-instance': start }));
    const started = await storage.startInstance(5);
    if (!('open' in started)) throw new Error('it was not started');
    expect(started.pid).toBe(4711);
    await started.open();
  });

  it('tells why it has ended when its start is abandoned', async () => {
    const storage = new ScriptInstanceStorage(new StubScripts({ 'draupnir-start-instance': start }));
    const started = await storage.startInstance(5);
    expect(await ('abandon' in started ? started.abandon() : undefined)).toBe('no such port');
  });

  it('that cannot be started at all is refused with the reason', async () => {
    const body = 'echo "failure its files are gone"; exit 65';
    const storage = new ScriptInstanceStorage(new StubScripts({ 'draupnir-start-instance': body }));
    await expect(storage.startInstance(5)).rejects.toMatchObject({
      kind: 'instance_failed',
      message: 'its files are gone',
    });
  });

  it('is not waited for longer than the time-out, when the script hangs', async () => {
    // It says nothing while its stdin is open, and ends with it.
    const scripts = new StubScripts({ 'draupnir-start-instance': 'cat >/dev/null' }, 50);
    await expect(new ScriptInstanceStorage(scripts).startInstance(5)).rejects.toMatchObject({
      name: 'ScriptError',
      exitCode: undefined,
    });
  });
});
