import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ScriptCertificateStorage } from '../../../src/exec/script-certificate-storage.ts';
import { createFakeChain } from '../fakes/world.ts';
import { StubScripts } from './stub-scripts.ts';

const chain = createFakeChain(12);

/** A change that keeps a journal in a file; `answer` is what it does after its certificates. */
function createStorage(answer: string): { storage: ScriptCertificateStorage; journal: () => string[] } {
  const directory = mkdtempSync(join(tmpdir(), 'draupnir-journal-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'journal');
  const body = `exec 3>>${file}
    echo "arguments $*" >&3
    for _ in 1 2 3; do IFS= read -r -d $'\\f' pem; echo "$pem" >&3; done
    ${answer}`;
  const storage = new ScriptCertificateStorage(new StubScripts({ 'draupnir-renew-instance': body }));
  return { storage, journal: () => readFileSync(file, 'utf8').trim().split('\n') };
}

/** As the real script does it: nothing stays unless it is told to keep it. */
const TRANSACTION = `echo installed 4711; word=''; IFS= read -r word; echo "word $word" >&3
  if [[ $word == keep* ]]; then echo kept; else echo "undone" >&3; exit 70; fi`;

describe('the change of certificates by the script', () => {
  it('sends what the server needs, and never the keys of the CA and of the client', async () => {
    const { storage, journal } = createStorage(TRANSACTION);
    const installed = await storage.installCertificates(12, chain);
    expect(installed.pid).toBe(4711);
    expect(journal()).toEqual([
      'arguments 12',
      'server key 12',
      'server certificate 12',
      'ca certificate 12',
    ]);
    await installed.keep({ endSessions: false });
    expect(journal().at(-1)).toBe('word keep');
  });

  it('asks for the end of sessions', async () => {
    const { storage, journal } = createStorage(TRANSACTION);
    await (await storage.installCertificates(12, chain)).keep({ endSessions: true });
    expect(journal().at(-1)).toBe('word keep and end sessions');
  });

  it('is undone when undo resolves', async () => {
    const { storage, journal } = createStorage(TRANSACTION);
    await (await storage.installCertificates(12, chain)).undo();
    expect(journal().at(-1)).toBe('undone');
  });

  it('says when the instance does not run', async () => {
    const { storage } = createStorage('echo installed stopped; read -r; echo kept');
    expect((await storage.installCertificates(12, chain)).pid).toBeUndefined();
  });

  it.each(['exit 66', 'echo installed; read -r; exit 70', 'echo "installed 1 2"; read -r; exit 70'])(
    'fails when the script does: %s',
    async (answer) => {
      const { storage } = createStorage(answer);
      const failure = { name: 'ScriptError', script: 'draupnir-renew-instance' };
      await expect(storage.installCertificates(12, chain)).rejects.toMatchObject(failure);
    },
  );

  it('is not taken for kept when the script does not say so', async () => {
    const { storage } = createStorage(
      'echo installed 1; read -r; echo "sessions cannot be ended" >&2; exit 70',
    );
    const installed = await storage.installCertificates(12, chain);
    await expect(installed.keep({ endSessions: true })).rejects.toMatchObject({ exitCode: 70 });
  });
});
