import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/core/errors.ts';
import type { PreparationScripts } from '../../../src/core/image.ts';
import { ScriptImageStorage } from '../../../src/exec/script-image-storage.ts';
import { StubScripts } from './stub-scripts.ts';

/** As the real script does it. */
const TRANSACTION = 'echo made; IFS= read -r word; [[ $word == keep ]]; echo kept';

const never = new AbortController().signal;

const anonymise = (anonymisation: string): PreparationScripts => ({ anonymisation, verification: [] });

function createStorage(finalise: string): ScriptImageStorage {
  return new ScriptImageStorage(new StubScripts({ 'draupnir-finalise-image': finalise }), 'full');
}

describe('the images of the scripts', () => {
  it('are made and destroyed by their id', async () => {
    const only = (id: number): string => `[[ $# -eq 1 && $1 == ${id} ]]`;
    const storage = new ScriptImageStorage(
      new StubScripts({
        'draupnir-create-image': `${only(7)} || exit 1; ${TRANSACTION}`,
        'draupnir-destroy-image': only(8),
      }),
      'full',
    );
    await storage.createImage(7);
    await storage.destroyImage(8);
    await expect(storage.createImage(8)).rejects.toMatchObject({ name: 'ScriptError', exitCode: 1 });
  });

  it('are told to go when the server has not waited for them', async () => {
    const late = 'echo late; IFS= read -r word; echo "told ${word:-nothing}" >&2; exit 70';
    const storage = new ScriptImageStorage(new StubScripts({ 'draupnir-create-image': late }), 'full');
    await expect(storage.createImage(7)).rejects.toMatchObject({ exitCode: 70, reason: 'told nothing' });
  });

  it('are refused as occupied when the disk knows the id', async () => {
    const occupied = 'echo "there is an image 7" >&2; exit 73';
    const storage = new ScriptImageStorage(new StubScripts({ 'draupnir-create-image': occupied }), 'full');
    const error: unknown = await storage.createImage(7).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: 'id_occupied', cause: { reason: 'there is an image 7' } });
    expect(error).not.toMatchObject({ message: expect.stringContaining('there is') as string });
  });
});

describe('the finalisation by the script', () => {
  it('sends the length in bytes, and the request', async () => {
    const sql = "UPDATE people SET name = 'ü🐘';\n\n-- no end of line";
    const scripts = { anonymisation: sql, verification: [{ line: 7, database: 'shop', text: "SELECT 'ü'" }] };
    const request = JSON.stringify({ ...scripts, scrub: 'full' });
    const expected = `${Buffer.byteLength(request)}\n${request}`;
    const length = Buffer.byteLength(expected);
    const body = `got=$(head -c ${length} | base64 -w0)
      [[ $got == ${Buffer.from(expected).toString('base64')} && $1 == 7 ]]`;
    await createStorage(body).finaliseImage(7, scripts, never);
  });

  it('asks for the fast scrub where that is configured', async () => {
    const stub = new StubScripts({
      'draupnir-finalise-image': `read -r length; [[ $(head -c "$length") == *'"scrub":"fast"'* ]]`,
    });
    await new ScriptImageStorage(stub, 'fast').finaliseImage(7, anonymise(''), never);
  });

  it('fails with the one reason the script gives, not with what it complains', async () => {
    const body = `echo "row ada@example.com" >&2; echo step; echo "failure line 3: 42P01"; exit 65`;
    const error: unknown = await createStorage(body)
      .finaliseImage(7, anonymise(''), never)
      .catch((reason: unknown) => reason);
    expect(error).toEqual(new DomainError('finalise_failed', 'line 3: 42P01'));
    expect(error).not.toHaveProperty('cause');
  });

  it('tells each step as it begins', async () => {
    const steps: unknown[] = [];
    const body = 'echo "step unpack 1/2"; echo "step scrub 2/2"; echo done';
    await createStorage(body).finaliseImage(7, anonymise(''), never, (step) => steps.push(step));
    expect(steps).toEqual([
      { step: 'unpack', number: 1, of: 2 },
      { step: 'scrub', number: 2, of: 2 },
    ]);
  });

  it.each([
    ['exits with 65 without a reason', 'exit 65', 65],
    ['exits otherwise with a reason', 'echo "failure x"; exit 70', 70],
  ])('fails as the server when the script %s', async (_, body, exitCode) => {
    const failure = { name: 'ScriptError', exitCode };
    await expect(createStorage(body).finaliseImage(7, anonymise(''), never)).rejects.toMatchObject(failure);
  });

  it('is ended by the signal, which ends the stdin of the script', async () => {
    const stop = new AbortController();
    const finalised = createStorage('cat >/dev/null; exit 143').finaliseImage(
      7,
      anonymise('SELECT 1'),
      stop.signal,
    );
    stop.abort();
    await expect(finalised).rejects.toMatchObject({
      kind: 'finalise_interrupted',
      message: 'the server is stopping; it goes on with the preparation when it is back',
    });
  });

  it('ends at once when the signal has fired before', async () => {
    await expect(
      createStorage('cat >/dev/null; exit 143').finaliseImage(7, anonymise(''), AbortSignal.abort()),
    ).rejects.toMatchObject({ kind: 'finalise_interrupted' });
  });

  it('says that it took too long when the deadline ended it', async () => {
    await expect(
      createStorage('cat >/dev/null; exit 143').finaliseImage(7, anonymise(''), AbortSignal.timeout(1)),
    ).rejects.toMatchObject({
      kind: 'finalise_interrupted',
      message: 'the preparation took longer than finalise_timeout allows',
    });
  });

  it('succeeds when the script was done before it heard of the signal', async () => {
    const stop = new AbortController();
    const finalised = createStorage('cat >/dev/null; exit 0').finaliseImage(7, anonymise(''), stop.signal);
    stop.abort();
    await expect(finalised).resolves.toBeUndefined();
  });
});
