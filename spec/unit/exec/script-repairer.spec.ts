import { describe, expect, it } from 'vitest';
import type { Credentials, InstanceProof } from '../../../src/core/instance.ts';
import type { Repair } from '../../../src/doctor/finding.ts';
import { ScriptInstanceStorage } from '../../../src/exec/script-instance-storage.ts';
import { ScriptRepairer } from '../../../src/exec/script-repairer.ts';
import { StubScripts } from './stub-scripts.ts';

const PAIR = { certificate: 'c', key: 'k' };
const CREDENTIALS: Credentials = { ca: PAIR, client: PAIR };

/** Is given, or not. */
class FakeProof implements InstanceProof {
  proven: unknown[] = [];
  readonly #holds: boolean;

  constructor(holds: boolean) {
    this.#holds = holds;
  }

  prove(...proven: Parameters<InstanceProof['prove']>): Promise<void> {
    this.proven = proven;
    return this.#holds ? Promise.resolve() : Promise.reject(new Error('Postgres admits plaintext'));
  }
}

function createRepairer(scripts: StubScripts, proof: InstanceProof = new FakeProof(true)): ScriptRepairer {
  const storage = new ScriptInstanceStorage(scripts);
  const find = (id: number) => Promise.resolve({ port: 7000 + id, credentials: CREDENTIALS });
  return new ScriptRepairer({ scripts, storage, proof, find });
}

const START = 'echo "started 41"; read -r word; [[ $word == open ]] && echo opened';

describe('a repair', () => {
  it.each<Repair['action']>(['stop-instance', 'tidy-instance', 'tidy-image'])(
    'is %s by its script',
    async (action) => {
      const scripts = new StubScripts({ [`draupnir-${action}`]: '[[ $# -eq 1 && $1 == 7 ]]' });
      await createRepairer(scripts).repair({ action, id: 7 });
      await expect(createRepairer(scripts).repair({ action, id: 8 })).rejects.toMatchObject({ exitCode: 1 });
    },
  );

  it('opens a started instance to the world after the proof', async () => {
    const proof = new FakeProof(true);
    const repairer = createRepairer(new StubScripts({ 'draupnir-start-instance': START }), proof);
    await repairer.repair({ action: 'start-instance', id: 7 });
    expect(proof.proven).toMatchObject([{ id: 7, port: 7007 }, CREDENTIALS, { pid: 41 }]);
  });

  it('leaves no instance running that others could get into', async () => {
    const body = 'echo "started 41"; read -r word && exit 1; echo "failure it was stopped again"; exit 65';
    const repairer = createRepairer(
      new StubScripts({ 'draupnir-start-instance': body }),
      new FakeProof(false),
    );
    await expect(repairer.repair({ action: 'start-instance', id: 7 })).rejects.toMatchObject({
      message: 'it was stopped again',
      cause: { message: 'Postgres admits plaintext' },
    });
  });

  it('restarts by one start what cannot be asked to stop', async () => {
    const scripts = new StubScripts({ 'draupnir-start-instance': START, 'draupnir-stop-instance': 'exit 1' });
    await createRepairer(scripts).repair({ action: 'restart-instance', id: 7 });
  });

  it('restarts what runs by a stop and a start', async () => {
    const scripts = new StubScripts({
      'draupnir-start-instance': `[[ -e "$0.stopped" ]] || { echo "running 40"; exit; }\n${START}`,
      'draupnir-stop-instance': 'touch "${0/stop/start}.stopped"',
    });
    const proof = new FakeProof(true);
    await createRepairer(scripts, proof).repair({ action: 'restart-instance', id: 7 });
    expect(proof.proven).toHaveLength(3);
  });
});
